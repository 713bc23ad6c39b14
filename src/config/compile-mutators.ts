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

/** Names of the request's cookies that a carrier means; a trailing `*` stands for chunk suffixes. */
function cookiesMeant(request: Pick<RequestDescription, 'headers'>, pattern: string): string[] {
  const names = (request.headers.get('cookie') ?? []).flatMap((field) => field.split(';').map((pair) => pair.slice(0, Math.max(pair.indexOf('='), 0)).trim()))
  if (!pattern.endsWith('*')) return names.filter((name) => name === pattern)
  const whole = pattern.replace(/\.?\*$/, '')
  return names.filter((name) => name === whole || (name.startsWith(whole) && /^\.\d+$/.test(name.slice(whole.length))))
}

/** A place where a consumed credential stood, with the wish of the authenticator that consumed it. */
interface Consumed { readonly location: CredentialLocation; readonly strip: boolean }

/** Where the consumed credentials stood, by the authenticators of this route. */
function consumedBy(principals: Principals, strips: ReadonlyMap<string, boolean>): readonly Consumed[] {
  const consumed: Consumed[] = []
  for (const principal of principals.byAuthenticator.values()) {
    const strip = strips.get(principal.authenticatorId)
    if (principal.kind === 'identified' && strip !== undefined) for (const location of principal.locations) consumed.push({ location, strip })
  }
  return consumed
}

const stoodAt = (consumed: readonly Consumed[], kind: CredentialLocation['kind'], name: string): boolean => consumed.some(({ location }) => location.kind === kind && location.name === name)

/**
 * Removes credentials from what the upstream sees. A carrier that was consumed follows the authenticator that consumed
 * it; one that was sent but not looked at is removed as soon as any authenticator that reads it says `strip`.
 */
export function createCredentialMutator(authenticators: readonly Authenticator[]): Mutator {
  const strips = new Map(authenticators.map(({ id, forwardCredential }) => [id, forwardCredential === 'strip'] as const))
  const carriers = authenticators.filter(({ forwardCredential }) => forwardCredential === 'strip').flatMap(({ carriers: own }) => own)
  const headers = [...new Set(carriers.flatMap((carrier) => (carrier.kind === 'header' ? [carrier.name] : [])))]
  const cookies = [...new Set(carriers.flatMap((carrier) => (carrier.kind === 'cookie' ? [carrier.name] : [])))]
  return (request, principals) => {
    const consumed = consumedBy(principals, strips)
    const remove: string[] = []
    const removeCookies = new Set<string>()
    for (const { location, strip } of consumed) {
      if (strip && location.kind === 'header') remove.push(location.name)
      else if (strip) removeCookies.add(location.name)
    }
    for (const name of headers) if (!stoodAt(consumed, 'header', name)) remove.push(name)
    for (const pattern of cookies) for (const name of cookiesMeant(request, pattern)) if (!stoodAt(consumed, 'cookie', name)) removeCookies.add(name)
    return { remove, removeCookies: removeCookies.size === 0 ? NO_COOKIES : [...removeCookies], set: [] }
  }
}

const NO_COOKIES: readonly string[] = []
