import { recall, remember } from '../base/memory.ts'
import type { HeaderMutation } from '../model/mutation.ts'
import type { Principal, Principals } from '../model/principal.ts'
import type { Charge } from '../model/quota.ts'
import type { HeaderMap, RequestDescription } from '../model/request.ts'
import type { AuthenticatorUse, Route } from '../model/route.ts'

/** What follows, on one route, from the fields of a request and from who was proven. None of it lets anybody in: proven they are each time anew. */
export interface Recollection {
  readonly headers: HeaderMap
  readonly principals: Principals
  /** What each request spends, where that follows from no more than this. */
  charges: readonly Charge[] | undefined
  mutation: HeaderMutation | undefined
}

/** The principals of the request before, if the same one was proven by the same use of an authenticator, and nobody else. */
export function samePrincipals({ memory }: RequestDescription, route: Route, { authenticator: { id }, scopes }: AuthenticatorUse, principal: Principal): Principals | undefined {
  const principals = recall<Recollection>(memory, route)?.principals
  const same = principals?.primary === principal && principals.byAuthenticator.size === 1 && principals.byAuthenticator.get(id) === principal && (principals.requiredScopes.get(id) ?? NONE) === (scopes.length === 0 ? NONE : scopes)
  return same ? principals : undefined
}

const NONE: readonly string[] = []

/** That of the request before, if the fields and the principals are the very same ones; else a new one. */
export function recollect({ memory, headers }: RequestDescription, route: Route, principals: Principals): Recollection {
  const known = recall<Recollection>(memory, route)
  if (known?.principals === principals && known.headers === headers) return known
  const fresh: Recollection = { headers, principals, charges: undefined, mutation: undefined }
  remember(memory, route, fresh)
  return fresh
}
