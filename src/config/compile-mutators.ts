import type { CredentialLocation } from '../model/credential.ts'
import type { Mutator } from '../model/mutation.ts'
import type { Authenticator } from '../model/ports.ts'
import type { Principals } from '../model/principal.ts'
import type { RequestDescription } from '../model/request.ts'
import { safeHeaderValue } from '../wire/header-value.ts'
import { textOf, type PrincipalTemplate } from './principal-template.ts'

/** Identity headers from verified principals. What a client claimed under these names is removed elsewhere, on every request. */
export function createIdentityMutator(headers: readonly (readonly [name: string, template: PrincipalTemplate])[], emptyWhenUnknown: boolean): Mutator {
  return (_request, principals) => {
    const set: (readonly [string, string])[] = []
    for (const [name, template] of headers) {
      const text = textOf(template(principals))
      if (text !== undefined && text !== '') set.push([name, safeHeaderValue(text)])
      else if (emptyWhenUnknown) set.push([name, ''])
    }
    return { remove: [], removeCookies: [], set }
  }
}

const keyOf = ({ kind, name }: CredentialLocation): string => `${kind}:${name}`

/** Names of the request's cookies that a carrier means; a trailing `*` stands for chunk suffixes. */
function cookiesMeant(request: RequestDescription, pattern: string): string[] {
  const names = (request.headers.get('cookie') ?? []).flatMap((field) => field.split(';').map((pair) => pair.slice(0, Math.max(pair.indexOf('='), 0)).trim()))
  if (!pattern.endsWith('*')) return names.filter((name) => name === pattern)
  const whole = pattern.replace(/\.?\*$/, '')
  return names.filter((name) => name === whole || (name.startsWith(whole) && /^\.\d+$/.test(name.slice(whole.length))))
}

/** Where consumed credentials stood, each with the wish of the authenticator that consumed it. */
function consumed(principals: Principals, authenticators: readonly Authenticator[]): ReadonlyMap<string, Authenticator['forwardCredential']> {
  const wishes = new Map<string, Authenticator['forwardCredential']>()
  for (const principal of principals.byAuthenticator.values()) {
    const authenticator = authenticators.find(({ id }) => id === principal.authenticatorId)
    if (principal.kind === 'identified' && authenticator) for (const location of principal.locations) wishes.set(keyOf(location), authenticator.forwardCredential)
  }
  return wishes
}

/**
 * Removes credentials from what the upstream sees. A carrier that was consumed follows the authenticator that consumed
 * it; one that was sent but not looked at is removed as soon as any authenticator that reads it says `strip`.
 */
export function createCredentialMutator(authenticators: readonly Authenticator[]): Mutator {
  const stripped = authenticators.filter(({ forwardCredential }) => forwardCredential === 'strip').flatMap(({ carriers }) => carriers)
  return (request, principals) => {
    const wishes = consumed(principals, authenticators)
    const found = [...wishes].filter(([, wish]) => wish === 'strip').map(([key]) => key)
    for (const { kind, name } of stripped) {
      const names = kind === 'header' ? [name] : cookiesMeant(request, name)
      for (const each of names) if (!wishes.has(keyOf({ kind, name: each }))) found.push(keyOf({ kind, name: each }))
    }
    const of = (kind: string): string[] => [...new Set(found)].filter((key) => key.startsWith(`${kind}:`)).map((key) => key.slice(kind.length + 1))
    return { remove: of('header'), removeCookies: of('cookie'), set: [] }
  }
}
