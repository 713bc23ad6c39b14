import type { z } from 'zod'
import { CidrError, createCidrSet, type CidrSet } from '../base/cidr.ts'
import { digestOf, type StaticKey } from '../authenticators/static-keys.ts'
import { isSubject } from '../authenticators/subject.ts'
import type { Mistake } from './mistake.ts'
import { apiKeyAuthenticator } from './schema-authenticators.ts'

/** `keys:`, in the config and in a key file. */
export const staticKeyList = apiKeyAuthenticator.shape.keys.unwrap()
export type StaticKeyConfig = z.output<typeof staticKeyList>[number]

/** What the authenticator demands of every key it could be shown. */
export interface KeyForm {
  readonly minLength: number
  readonly prefixes: readonly string[]
  /** Whether a header is configured in which a trusted service names its user. */
  readonly asserts: boolean
}

const VISIBLE = /^[\x21-\x7e]+$/
const INSTANT = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/

/** Why a key could never be presented, or undefined. Never repeats the key. */
export function valueFault(value: string, { minLength, prefixes }: KeyForm): string | undefined {
  if (!VISIBLE.test(value)) return 'a key with blanks or letters that no header can carry'
  if (value.length < minLength) return `a key of ${value.length} characters, and min_length is ${minLength}: it would always be refused`
  if (prefixes.length > 0 && !prefixes.some((prefix) => value.startsWith(prefix))) return `a key without the prefix ${prefixes.join(' or ')}: it would never be recognised`
  return undefined
}

function networksOf(networks: readonly string[] | undefined): CidrSet | undefined {
  return networks && networks.length > 0 ? createCidrSet(networks) : undefined
}

/** A date alone ends at its beginning, in UTC. */
const instantOf = (text: string): number | undefined => (INSTANT.test(text) && !Number.isNaN(Date.parse(text)) ? Date.parse(text) : undefined)

function faultsOf(key: StaticKeyConfig, form: KeyForm): readonly (readonly [key: string, message: string])[] {
  const { value, sha256, expires, subject, id, assert_subject: asserts } = key
  const fault = value === undefined || value === '' ? undefined : valueFault(value, form)
  return [
    ...(value === undefined && sha256 === undefined ? [['value', 'expected the key, or its sha256'] as const] : []),
    ...(value !== undefined && sha256 !== undefined ? [['sha256', 'only one of value and sha256'] as const] : []),
    ...(fault === undefined ? [] : [['value', fault] as const]),
    ...(expires !== undefined && instantOf(expires) === undefined ? [['expires', `${JSON.stringify(expires)} – expected a date such as "2027-01-31" or "2027-01-31T12:00:00Z"`] as const] : []),
    ...([['subject', subject], ['id', id]] as const).filter(([, text]) => text !== undefined && !isSubject(text)).map(([name]) => [name, 'expected at most 255 characters without blanks at the ends'] as const),
    ...(asserts && !form.asserts ? [['assert_subject', 'no header is named in which it may do so; add subject: {from_header: …}'] as const] : []),
  ]
}

function staticKeyOf(key: StaticKeyConfig, digest: string): StaticKey {
  const id = key.id ?? `key-${digest.slice(0, 8)}`
  return {
    id,
    subject: key.subject ?? id,
    digest,
    email: key.email,
    tier: key.tier,
    scopes: key.scopes ?? [],
    roles: key.roles ?? [],
    allowedNetworks: networksOf(key.allowed_networks),
    expiresAt: key.expires === undefined ? undefined : instantOf(key.expires),
    assertSubject: key.assert_subject,
  }
}

/**
 * Compiles keys as they are written. An empty `value` means that this key is off, never that an empty key is one (T48). Paths of
 * mistakes start at the list. Mistakes never repeat a key.
 */
export function compileStaticKeys(written: readonly StaticKeyConfig[], form: KeyForm): { readonly keys: readonly StaticKey[]; readonly mistakes: readonly Mistake[] } {
  const keys: StaticKey[] = []
  const mistakes: Mistake[] = []
  const digests = new Map<string, number>()
  for (const [index, key] of written.entries()) {
    const faults = faultsOf(key, form)
    mistakes.push(...faults.map(([name, message]) => ({ path: [index, name], message })))
    const digest = key.sha256 ?? (key.value ? digestOf(key.value) : undefined)
    if (faults.length > 0 || digest === undefined) continue
    const twin = digests.get(digest)
    if (twin !== undefined) {
      mistakes.push({ path: [index], message: `the same key as number ${twin + 1}: nobody could say who it stands for` })
      continue
    }
    digests.set(digest, index)
    try {
      keys.push(staticKeyOf(key, digest))
    } catch (error) {
      if (!(error instanceof CidrError)) throw error
      mistakes.push({ path: [index, 'allowed_networks'], message: error.message })
    }
  }
  return { keys, mistakes }
}
