import type { Allow } from '../../model/decision.ts'
import type { Config } from '../../config/schema.ts'
import type { Gateway } from '../../model/gateway.ts'
import type { RequestDescription } from '../../model/request.ts'
import { passageOf } from '../../faces/forward-auth/passage.ts'
import { upstreamHeaders } from '../../wire/upstream-headers.ts'

/** What an allowed request is for the upstream. */
export interface Sent {
  /** With the query. */
  readonly path: string
  /** Lower-case name to values, in order. */
  readonly headers: ReadonlyMap<string, readonly string[]>
}

function collected(pairs: Iterable<readonly [name: string, value: string]>): ReadonlyMap<string, readonly string[]> {
  const headers = new Map<string, string[]>()
  for (const [name, value] of pairs) headers.set(name.toLowerCase(), [...(headers.get(name.toLowerCase()) ?? []), value])
  return headers
}

const pairsOf = (flat: readonly string[]): readonly (readonly [string, string])[] => flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? ''] as const] : []))

function pathOf({ target: { path, query } }: RequestDescription, { route }: Allow, basePath: string): string {
  return `${basePath}${route.rewrite?.(path) ?? path}${query === '' ? '' : `?${query}`}`
}

/** The list that the proxy face writes; in forward-auth, what the other proxy is told to replace. Empty fields there stand for absent ones. */
export function sentOf(request: RequestDescription, rawHeaders: readonly string[], { decision, gateway, mode, now }: { readonly decision: Allow; readonly gateway: Gateway; readonly mode: Config['mode']; readonly now: number }): Sent {
  if (mode === 'forward_auth') {
    const { fields, credentials } = passageOf(request, decision, gateway, now)
    return { path: pathOf(request, { ...decision, route: { ...decision.route, rewrite: (path) => path } }, ''), headers: collected([...fields, ...credentials].filter(([, value]) => value !== '')) }
  }
  const settings = gateway.upstreams.get(decision.route.upstreamId)
  const upstreamHost = settings === undefined || settings.host === 'preserve' ? request.target.host : new URL(settings.origin).host
  const { flat } = upstreamHeaders({ request, rawHeaders, wire: gateway.wire, mutation: decision.mutation, routeHeaders: decision.route.requestHeaders, upstreamHost, framing: { kind: 'none' } })
  return { path: pathOf(request, decision, settings?.basePath ?? ''), headers: collected(pairsOf(flat)) }
}
