import type { WireSettings } from '../model/gateway.ts'
import type { HeaderMutation } from '../model/mutation.ts'
import type { RequestDescription } from '../model/request.ts'
import type { Route } from '../model/route.ts'
import { withoutCookies } from './cookies.ts'
import type { Framing } from './framing.ts'
import { type HeaderKind, headerKinds } from './header-kind.ts'
import { connectionTokens, foldedName, HOP_BY_HOP } from './headers.ts'
import { traceIdOf, traceparentOf } from './trace.ts'

/** Everything that the upstream's header list is made of. */
export interface UpstreamHeadersInput {
  readonly request: RequestDescription
  /** The client's lines, flat: name, value, name, value, … */
  readonly rawHeaders: readonly string[]
  readonly wire: WireSettings
  readonly mutation: HeaderMutation
  readonly routeHeaders: Route['requestHeaders']
  /** The `Host` to send. */
  readonly upstreamHost: string
  /** How our request says where its body ends. With `none`, nothing is written and the sender must add no body. */
  readonly framing: Framing
  /** A WebSocket handshake is going out. */
  readonly upgrade?: boolean
  /** Told once for every line of a claimed identity header that was removed; gets the folded name of the identity header. */
  readonly onStripped?: (identityHeaderName: string) => void
}

/** Pseudonym in `Via` (RFC 9110 section 7.6.3). */
const VIA = '1.1 postern'

/** Fields that neither a route nor a mutator may write: they decide where a message ends and to whom it goes. */
const isFraming = (folded: string): boolean => HOP_BY_HOP.has(folded) || folded === 'host' || folded === 'content-length' || folded === 'expect'

interface RouteNames {
  readonly identity: ReadonlySet<string>
  /** Folded names of `set` and `remove`: none of them comes from the client or from us. */
  readonly replaced: ReadonlySet<string>
  /** The lines to write, without those that may not be written. */
  readonly set: readonly (readonly [name: string, value: string])[]
}

const routeNames = new WeakMap<Route['requestHeaders'], RouteNames>()

/** Folds a route's names once. Identity headers are not a route's to write. */
function routeNamesOf(headers: Route['requestHeaders'], identity: ReadonlySet<string>): RouteNames {
  const known = routeNames.get(headers)
  if (known?.identity === identity) return known
  const set = headers.set.filter(([name]) => !isFraming(foldedName(name)) && !identity.has(foldedName(name)))
  const made = { identity, set, replaced: new Set([...headers.set.map(([name]) => foldedName(name)), ...headers.remove.map(foldedName)]) }
  routeNames.set(headers, made)
  return made
}

/** What was found out about one request before anything is written. Names are folded. */
interface Plan {
  readonly kind: (name: string) => HeaderKind
  readonly route: RouteNames
  /** Names that mutators write. */
  readonly mutated: ReadonlySet<string>
  /** Names that the client's list loses besides the stripped ones. */
  readonly gone: ReadonlySet<string>
  /** The client's trace goes on. If not, its `tracestate` means nothing either (Trace Context, 3.3). */
  readonly keepsTrace: boolean
}

function planOf({ request, wire, mutation, routeHeaders }: UpstreamHeadersInput): Plan {
  const kind = headerKinds(wire.owned)
  const route = routeNamesOf(routeHeaders, wire.owned.identity)
  const mutated = new Set<string>()
  for (const [name] of mutation.set) mutated.add(kind(name).folded)
  const gone = new Set(route.replaced)
  for (const name of mutated) gone.add(name)
  for (const name of mutation.remove) gone.add(kind(name).folded)
  for (const token of connectionTokens(request.headers)) gone.add(kind(token).folded)
  const traces = request.headers.get('traceparent')
  return { kind, route, mutated, gone, keepsTrace: traces?.length === 1 && traceIdOf(traces[0]) !== undefined }
}

/** The client's own lines that may pass, in order and byte for byte. */
function pushClientLines(out: string[], { rawHeaders, mutation, upgrade = false, onStripped }: UpstreamHeadersInput, { kind, gone, keepsTrace }: Plan): void {
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    const { lower, folded, stripped, identity, handshake } = kind(name)
    if (identity !== undefined) onStripped?.(identity)
    if (stripped || gone.has(folded) || (handshake && !upgrade)) continue
    if (!keepsTrace && (folded === 'traceparent' || folded === 'tracestate')) continue
    const value = lower === 'cookie' ? withoutCookies(rawHeaders[index + 1] ?? '', mutation.removeCookies) : rawHeaders[index + 1]
    if (value !== undefined) out.push(name, value)
  }
}

function pushFraming(out: string[], { framing, upgrade }: UpstreamHeadersInput): void {
  if (upgrade) out.push('Connection', 'Upgrade', 'Upgrade', 'websocket')
  else if (framing.kind === 'length') out.push('Content-Length', String(framing.length))
  else if (framing.kind === 'chunked') out.push('Transfer-Encoding', 'chunked')
}

/** A client without an address came through a unix socket; `unknown` is what RFC 7239 section 6.2 has for that. */
const namedIp = (ip: string): string => (ip === 'unix' ? 'unknown' : ip)

/** RFC 7239: what holds a colon is quoted, IPv6 is bracketed too. */
function forwardedValue({ client, target }: RequestDescription): string {
  const node = client.ip.includes(':') ? `"[${client.ip}]"` : namedIp(client.ip)
  const host = target.host.includes(':') ? `"${target.host}"` : target.host
  return `for=${node};host=${host};proto=${target.scheme}`
}

/** What we verified or made ourselves, replacing what the client said (T25). Gives way to what a route or a mutator writes. */
function pushVerified(out: string[], { request, wire }: UpstreamHeadersInput, { route, mutated, keepsTrace }: Plan): void {
  const push = (name: string, folded: string, value: string): void => {
    if (!route.replaced.has(folded) && !mutated.has(folded)) out.push(name, value)
  }
  push('X-Forwarded-For', 'x-forwarded-for', namedIp(request.client.ip))
  push('X-Forwarded-Proto', 'x-forwarded-proto', request.target.scheme)
  push('X-Forwarded-Host', 'x-forwarded-host', request.target.host)
  push('Forwarded', 'forwarded', forwardedValue(request))
  push('X-Request-Id', 'x-request-id', request.id)
  if (request.traceId !== undefined && !keepsTrace) push('traceparent', 'traceparent', traceparentOf(request.traceId))
  if (wire.via) out.push('Via', VIA)
}

/** The mutators' fields, each name once: of two the later one stands. */
function pushMutation(out: string[], { mutation }: UpstreamHeadersInput, { kind }: Plan): void {
  mutation.set.forEach(([name, value], index) => {
    const { folded } = kind(name)
    const again = mutation.set.some(([other], later) => later > index && kind(other).folded === folded)
    if (!again && !isFraming(folded)) out.push(name, value)
  })
}

/**
 * The header list that the upstream sees, flat, built afresh for every request on every path (T1-T5, T21, T22, T24). The
 * client's fields pass unless something here takes them away; framing, `Host` and forwarding fields are written from what was
 * verified; the route's fields follow, and identity headers come last, so that nothing can replace them.
 */
export function upstreamHeaders(input: UpstreamHeadersInput): string[] {
  const plan = planOf(input)
  const out: string[] = ['Host', input.upstreamHost]
  pushClientLines(out, input, plan)
  pushFraming(out, input)
  pushVerified(out, input, plan)
  for (const [name, value] of plan.route.set) if (!plan.mutated.has(foldedName(name))) out.push(name, value)
  pushMutation(out, input, plan)
  return out
}
