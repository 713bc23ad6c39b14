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
}

/** Pseudonym in `Via` (RFC 9110 section 7.6.3). */
const VIA = '1.1 postern'

/** Fields that neither a route nor a mutator may write: they decide where a message ends and to whom it goes. */
const isFraming = (folded: string): boolean => HOP_BY_HOP.has(folded) || folded === 'host' || folded === 'content-length' || folded === 'expect'

/** Names under which we write what we verified. */
const VERIFIED: ReadonlySet<string> = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded', 'x-request-id', 'traceparent'])

interface RouteNames {
  readonly identity: ReadonlySet<string>
  /** Folded names of `set` and `remove`: none of them comes from the client or from us. */
  readonly replaced: ReadonlySet<string>
  /** One of them is a name under which we would write what we verified. */
  readonly contested: boolean
  /** The lines to write, without those that may not be written. */
  readonly set: readonly (readonly [name: string, value: string])[]
}

const routeNames = new WeakMap<Route['requestHeaders'], RouteNames>()

/** Folds a route's names once. Identity headers are not a route's to write. */
function routeNamesOf(headers: Route['requestHeaders'], identity: ReadonlySet<string>): RouteNames {
  const known = routeNames.get(headers)
  if (known?.identity === identity) return known
  const set = headers.set.filter(([name]) => !isFraming(foldedName(name)) && !identity.has(foldedName(name)))
  const replaced = new Set([...headers.set.map(([name]) => foldedName(name)), ...headers.remove.map(foldedName)])
  const made = { identity, set, replaced, contested: [...replaced].some((folded) => VERIFIED.has(folded)) }
  routeNames.set(headers, made)
  return made
}

const NONE: readonly string[] = []

/** What was found out about one request before anything is written. Names are folded. */
interface Plan {
  readonly kind: (name: string) => HeaderKind
  readonly route: RouteNames
  /** Names that mutators write, in the order of their fields. */
  readonly mutated: readonly string[]
  /** Names that the client's list loses besides the stripped ones, those of the route and those that mutators write. */
  readonly gone: readonly string[]
  /** The client's trace goes on. If not, its `tracestate` means nothing either (Trace Context, 3.3). */
  readonly keepsTrace: boolean
}

/** Names that the client's `Connection` takes away. The usual option names a field that goes anyway. */
function nominated({ headers }: RequestDescription): Iterable<string> {
  const lines = headers.get('connection')
  return lines === undefined || (lines.length === 1 && lines[0] === 'keep-alive') ? NONE : connectionTokens(headers)
}

function planOf({ request, wire, mutation, routeHeaders }: UpstreamHeadersInput): Plan {
  const kind = headerKinds(wire.owned)
  const mutated: string[] = []
  for (const [name] of mutation.set) mutated.push(kind(name).folded)
  const gone: string[] = []
  for (const name of mutation.remove) gone.push(kind(name).folded)
  for (const token of nominated(request)) gone.push(kind(token).folded)
  const traces = request.headers.get('traceparent')
  return { kind, route: routeNamesOf(routeHeaders, wire.owned.identity), mutated, gone, keepsTrace: traces?.length === 1 && traceIdOf(traces[0]) !== undefined }
}

const isTrace = (folded: string): boolean => folded === 'traceparent' || folded === 'tracestate'

/** Whether a field of the client's that is not stripped anyway stays behind. */
const staysBehind = (folded: string, { route, mutated, gone, keepsTrace }: Plan): boolean =>
  gone.includes(folded) || mutated.includes(folded) || route.replaced.has(folded) || (!keepsTrace && isTrace(folded))

/** A list of what the upstream sees, where in it something stands that is another one for each request, and what was taken away. */
export interface UpstreamHeaders {
  /** Flat: name, value, name, value, … */
  readonly flat: string[]
  /** Index of the value of the request id of ours; -1 where there is none. */
  idAt: number
  /** The same of a trace that begins here. It stands behind the id. */
  traceAt: number
  /** Folded names of the claimed identity headers that were removed, one for each line. */
  readonly stripped: string[]
}

/** The client's own lines that may pass, in order and byte for byte. */
function pushClientLines({ flat: out, stripped: claims }: UpstreamHeaders, { rawHeaders, mutation, upgrade = false }: UpstreamHeadersInput, plan: Plan): void {
  const { kind } = plan
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    const { lower, folded, stripped, identity, handshake } = kind(name)
    if (identity !== undefined) claims.push(identity)
    if (stripped || (handshake && !upgrade) || staysBehind(folded, plan)) continue
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
function pushVerified(made: UpstreamHeaders, { request, wire }: UpstreamHeadersInput, { route, mutated, keepsTrace }: Plan): void {
  const { flat: out } = made
  const { client, target, id, traceId } = request
  const contested = route.contested || mutated.some((folded) => VERIFIED.has(folded))
  /** Gives where the value stands. */
  const push = (name: string, folded: string, value: string): number => (contested && (route.replaced.has(folded) || mutated.includes(folded)) ? -1 : out.push(name, value) - 1)
  push('X-Forwarded-For', 'x-forwarded-for', namedIp(client.ip))
  push('X-Forwarded-Proto', 'x-forwarded-proto', target.scheme)
  push('X-Forwarded-Host', 'x-forwarded-host', target.host)
  push('Forwarded', 'forwarded', forwardedValue(request))
  made.idAt = push('X-Request-Id', 'x-request-id', id)
  if (traceId !== undefined && !keepsTrace) made.traceAt = push('traceparent', 'traceparent', traceparentOf(traceId))
  if (wire.via) out.push('Via', VIA)
}

/** The mutators' fields, each name once: of two the later one stands. */
function pushMutation(out: string[], { mutation: { set } }: UpstreamHeadersInput, { mutated }: Plan): void {
  for (let index = 0; index < set.length; index += 1) {
    const field = set[index]
    const folded = mutated[index] ?? ''
    if (field && mutated.lastIndexOf(folded) === index && !isFraming(folded)) out.push(field[0], field[1])
  }
}

/**
 * The header list that the upstream sees, flat, the same on every path (T1-T5, T21, T22, T24); what may be remembered of it is for `upstreamLines` to say. The
 * client's fields pass unless something here takes them away; framing, `Host` and forwarding fields are written from what was
 * verified; the route's fields follow, and identity headers come last, so that nothing can replace them.
 */
export function upstreamHeaders(input: UpstreamHeadersInput): UpstreamHeaders {
  const plan = planOf(input)
  const out: string[] = ['Host', input.upstreamHost]
  const made: UpstreamHeaders = { flat: out, idAt: -1, traceAt: -1, stripped: [] }
  pushClientLines(made, input, plan)
  pushFraming(out, input)
  pushVerified(made, input, plan)
  for (const [name, value] of plan.route.set) if (!plan.mutated.includes(plan.kind(name).folded)) out.push(name, value)
  pushMutation(out, input, plan)
  return made
}
