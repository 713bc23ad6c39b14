import type { Denial } from '../model/denial.ts'
import type { IdentifiedPrincipal, Principal, Principals } from '../model/principal.ts'
import type { RequestDescription } from '../model/request.ts'
import type { CsrfPolicy, Requirements, Route } from '../model/route.ts'
import { queryValues } from './match-route.ts'

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

const forbidden = (rule: Extract<Denial, { code: 'forbidden' }>['rule'], evidence?: Extract<Denial, { code: 'forbidden' }>['evidence']): Denial => ({
  kind: 'denial',
  code: 'forbidden',
  rule,
  ...(evidence && { evidence }),
})

/** The value at a path of own properties, or undefined. */
function attributeAt(attributes: unknown, path: readonly string[]): unknown {
  let value = attributes
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Readonly<Record<string, unknown>>)[name]
  }
  return value
}

/**
 * A cookie is sent by the browser whoever's page asks (T60), so an unsafe request or an upgrade must come from this
 * API's own origin or a listed one. `Origin` decides; without it `Sec-Fetch-Site`; a request with neither does not come
 * from a page.
 */
function checkOrigin(csrf: CsrfPolicy, request: RequestDescription): Denial | undefined {
  if (SAFE_METHODS.has(request.method) && !request.upgrade) return undefined
  const origins = request.headers.get('origin')
  if (origins) {
    const [origin = ''] = origins
    const own = `${request.target.scheme}://${request.target.host}`
    return origins.length === 1 && (origin === own || csrf.origins.has(origin)) ? undefined : forbidden('origin', { origin })
  }
  const sites = request.headers.get('sec-fetch-site')
  if (!sites) return undefined
  const [site = ''] = sites
  return sites.length === 1 && (site === 'same-origin' || site === 'none') ? undefined : forbidden('origin', { sec_fetch_site: site })
}

/** What is said of a credential itself: where it may be used from, and for a cookie, from whose page. */
function checkCredential({ csrf }: Route, request: RequestDescription, principal: Principal): Denial | undefined {
  if (principal.kind !== 'identified') return undefined
  if (principal.allowedNetworks && !principal.allowedNetworks.contains(request.client.ip)) return forbidden('key_network')
  return principal.carrier.kind === 'cookie' ? checkOrigin(csrf, request) : undefined
}

function checkCredentials(route: Route, request: RequestDescription, { primary, byAuthenticator }: Principals): Denial | undefined {
  if (byAuthenticator.size === 0) return checkCredential(route, request, primary)
  for (const principal of byAuthenticator.values()) {
    const denial = checkCredential(route, request, principal)
    if (denial) return denial
  }
  return undefined
}

function checkScopes(route: Route, principals: Principals): Denial | undefined {
  if (route.requirements.scopes.length === 0 && principals.requiredScopes.size === 0) return undefined
  const required: string[] = []
  const missing: string[] = []
  const demand = (scopes: readonly string[], held: ReadonlySet<string>): void => {
    for (const scope of scopes) {
      required.push(scope)
      if (!held.has(scope)) missing.push(scope)
    }
  }
  const held = principals.primary.kind === 'identified' ? principals.primary.scopes : new Set<string>()
  demand(route.requirements.scopes, held)
  for (const [id, scopes] of principals.requiredScopes) {
    const principal = principals.byAuthenticator.get(id)
    demand(scopes, principal?.kind === 'identified' ? principal.scopes : new Set())
  }
  return missing.length === 0 ? undefined : { kind: 'denial', code: 'scope_insufficient', required, missing, challenges: route.challenges }
}

function checkClaims({ claims, roles }: Requirements, principal: IdentifiedPrincipal | undefined): Denial | undefined {
  if (roles.length > 0 && !roles.some((role) => principal?.roles.includes(role))) return forbidden('role', { required: roles })
  for (const { path, values } of claims) {
    const value = attributeAt(principal?.attributes, path)
    const held = Array.isArray(value) ? value : [value]
    if (!held.some((entry) => values.some((wanted) => wanted === entry || wanted === String(entry)))) return forbidden('claim', { claim: path.join('.') })
  }
  return undefined
}

function checkTier({ minTier, tierRanks }: Requirements, principal: IdentifiedPrincipal | undefined): Denial | undefined {
  if (minTier === undefined) return undefined
  const rank = principal?.tier === undefined ? undefined : tierRanks.get(principal.tier)
  const least = tierRanks.get(minTier)
  if (rank !== undefined && least !== undefined && rank >= least) return undefined
  return { kind: 'denial', code: 'tier_insufficient', required: minTier, ...(principal?.tier !== undefined && { tier: principal.tier }) }
}

/** Every `grant_type` in query and body must be allowed, and there must be exactly one value: form bodies win over the query in some servers. */
function checkGrant(grants: ReadonlySet<string>, request: RequestDescription): Denial | undefined {
  const inQuery = queryValues(request.target.query, 'grant_type')
  const body = request.body?.value
  const inBody = attributeAt(body, ['grant_type'])
  const values = [...(inQuery ?? []), ...(inBody === undefined ? [] : [inBody])]
  const fits = inQuery !== undefined && inQuery.length <= 1 && values.length > 0 && values.every((value) => value === values[0] && typeof value === 'string' && grants.has(value))
  return fits ? undefined : forbidden('grant_type')
}

function checkBody(route: Route, request: RequestDescription, principals: Principals): Denial | undefined {
  const { body } = route
  if (!body) return undefined
  const grant = body.grantTypes && checkGrant(body.grantTypes, request)
  if (grant) return grant
  return !body.check || body.check(request.body?.value, principals) ? undefined : forbidden('body')
}

/** What the proven may do here. Pure; the first rule that is not met speaks. */
export function authorize(route: Route, request: RequestDescription, principals: Principals): Denial | undefined {
  const primary = principals.primary.kind === 'identified' ? principals.primary : undefined
  return checkCredentials(route, request, principals) ?? checkScopes(route, principals) ?? checkTier(route.requirements, primary) ?? checkClaims(route.requirements, primary) ?? checkBody(route, request, principals)
}
