import { remembering } from '../base/remembering.ts'
import { isSubject } from './subject.ts'

/** Which members of a JSON document say what: JSON pointers (RFC 6901), the first that yields something wins. */
export interface IdentityPointers {
  readonly subject: readonly string[]
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly email: readonly string[]
  readonly tier?: readonly string[] | undefined
  /** The tier of somebody whose document names none. */
  readonly defaultTier?: string | undefined
}

export interface IdentityClaims {
  /** Absent unless it may stand in a header; see `isSubject`. */
  readonly subject?: string
  readonly scopes: ReadonlySet<string>
  readonly roles: readonly string[]
  readonly email?: string
  readonly tier?: string
}

/** What a JSON pointer points at, by own members only: `/constructor/name` points at nothing. */
export function valueAt(document: unknown, pointer: string): unknown {
  let value = document
  for (const token of pointer.split('/').slice(1)) {
    if (typeof value !== 'object' || value === null) return undefined
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~')
    if (!Object.hasOwn(value, name)) return undefined
    // An own member of an object or an element of an array.
    value = (value as Readonly<Record<string, unknown>>)[name]
  }
  return value
}

function firstOf<T>(document: unknown, pointers: readonly string[] | undefined, read: (value: unknown) => T | undefined): T | undefined {
  for (const pointer of pointers ?? []) {
    const found = read(valueAt(document, pointer))
    if (found !== undefined) return found
  }
  return undefined
}

const texts = (values: readonly unknown[]): readonly string[] => values.filter((value): value is string => typeof value === 'string' && value !== '')

/** One text without control characters or half ones; what could stand in a header. */
const text = (value: unknown): string | undefined => (typeof value === 'string' && value.length > 0 && value.length <= 255 && value.isWellFormed() && !/\p{Cc}/u.test(value) ? value : undefined)

/** The first place that holds anything decides: an odd id must not give way to an e-mail address. */
function subjectIn(document: unknown, pointers: readonly string[]): string | undefined {
  const found = firstOf(document, pointers, (value) => value ?? undefined)
  return isSubject(found) ? found : undefined
}

const NO_SCOPES: ReadonlySet<string> = new Set()

/** One set for all who may do the same: ten thousand remembered tokens have few. */
const scopesIn = remembering((words): ReadonlySet<string> => new Set(words.split(' ').filter((word) => word !== '')))

/** `scope` is one space-separated text (RFC 8693), `scp` and `permissions` are arrays elsewhere. */
const scopes = (value: unknown): ReadonlySet<string> | undefined => {
  if (typeof value === 'string') return scopesIn(value)
  return Array.isArray(value) ? new Set(texts(value)) : undefined
}

/** One role, several, or an object whose keys are the roles (Zitadel). */
const names = (value: unknown): readonly string[] | undefined => {
  if (typeof value === 'string') return texts([value])
  if (Array.isArray(value)) return texts(value)
  return typeof value === 'object' && value !== null ? texts(Object.keys(value)) : undefined
}

/** Who a verified document speaks of. */
export function identityClaimsOf(document: unknown, pointers: IdentityPointers): IdentityClaims {
  const subject = subjectIn(document, pointers.subject)
  const email = firstOf(document, pointers.email, text)
  const tier = firstOf(document, pointers.tier, text) ?? pointers.defaultTier
  return {
    scopes: firstOf(document, pointers.scopes, scopes) ?? NO_SCOPES,
    roles: firstOf(document, pointers.roles, names) ?? [],
    ...(subject === undefined ? {} : { subject }),
    ...(email === undefined ? {} : { email }),
    ...(tier === undefined ? {} : { tier }),
  }
}
