import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { posix } from 'node:path'
import type { Duplex } from 'node:stream'
import { parse } from 'yaml'
import { envoySnippet } from '../../../src/cli/snippets/envoy.ts'
import type { SnippetFacts } from '../../../src/cli/snippets/facts.ts'
import { traefikSnippet } from '../../../src/cli/snippets/traefik.ts'
import { call, plainCheckRequest } from './ext-authz.ts'
import { type Caller, type CallerKind, onPath, portOf, programOf, startProgram } from './process.ts'

/**
 * Traefik and Envoy where their binaries are not: what their documentation says about the question, the answer and the request that goes
 * on, driven by the very file that is shipped for them.
 */

type Lines = [name: string, value: string][]

const HOP = new Set(['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'trailers', 'transfer-encoding', 'upgrade'])

const linesOf = ({ rawHeaders }: IncomingMessage): Lines => Array.from({ length: rawHeaders.length / 2 }, (_, index) => [rawHeaders[2 * index]!, rawHeaders[2 * index + 1]!])

const without = (lines: Lines, names: Iterable<string>): Lines => {
  const set = new Set([...names].map((name) => name.toLowerCase()))
  return lines.filter(([name]) => !set.has(name.toLowerCase()))
}

interface Answered { readonly status: number; readonly lines: Lines; readonly body: Buffer }

function ask(postern: string, method: string, path: string, lines: Lines): Promise<Answered | undefined> {
  const [host, port] = postern.split(':')
  return new Promise((resolve) => {
    const asking = request({ host, port, method, path, agent: false, headers: lines.flat(), timeout: 2_000 }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => resolve({ status: answer.statusCode!, lines: linesOf(answer), body: Buffer.concat(chunks) }))
    })
    asking.once('error', () => resolve(undefined))
    asking.end()
  })
}

/** What a product makes of one request: an answer of its own, or the request that goes on. */
type Judged = { readonly answer: Answered } | { readonly target: string; readonly lines: Lines; readonly toClient: Lines }
type Judge = (incoming: IncomingMessage) => Promise<Judged>

const refusal = (status: number): Judged => ({ answer: { status, lines: [], body: Buffer.alloc(0) } })

function goOn(facts: SnippetFacts, incoming: IncomingMessage, response: ServerResponse, { target, lines, toClient }: Extract<Judged, { target: string }>): void {
  const [host, port] = facts.api.split(':')
  const onward = request({ host, port, method: incoming.method, path: target, agent: false, headers: lines.flat() }, (answer) => {
    response.writeHead(answer.statusCode!, [...linesOf(answer), ...toClient].flat())
    answer.pipe(response)
  })
  onward.once('error', () => response.destroy())
  incoming.pipe(onward)
}

function tunnel(facts: SnippetFacts, incoming: IncomingMessage, socket: Duplex, { target, lines }: Extract<Judged, { target: string }>): void {
  const [host, port] = facts.api.split(':')
  const upstream = connect(Number(port), host!, () => upstream.write(`GET ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}Connection: Upgrade\r\nUpgrade: ${incoming.headers.upgrade}\r\n\r\n`))
  upstream.once('error', () => socket.destroy())
  socket.once('error', () => upstream.destroy())
  socket.pipe(upstream).pipe(socket)
}

async function listen(facts: SnippetFacts, judge: Judge): Promise<Caller> {
  const server = createServer((incoming, response) => {
    void judge(incoming).then((judged) => {
      if (!('answer' in judged)) return goOn(facts, incoming, response, judged)
      response.writeHead(judged.answer.status, without(judged.answer.lines, HOP).flat())
      response.end(judged.answer.body)
    })
  })
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex) => {
    void judge(incoming).then((judged) => {
      if (!('answer' in judged)) return tunnel(facts, incoming, socket, judged)
      const { status, lines, body } = judged.answer
      socket.end(`HTTP/1.1 ${status} Refused\r\n${without(lines, HOP).map(([name, value]) => `${name}: ${value}\r\n`).join('')}Connection: close\r\n\r\n${body.toString('latin1')}`)
    })
  })
  await new Promise<void>((resolve) => server.listen(portOf(facts), '127.0.0.1', resolve))
  return { port: portOf(facts), output: () => '', close: () => new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  }) }
}

/** What the entry point makes of a target: no fragment, unreserved characters as they are, and no `.`, `..` or empty segment. */
function tidied(uri: string): string | undefined {
  const [path = '', ...query] = uri.split('?')
  if (path.includes('#')) return undefined
  const plain = path.replace(/%[0-9a-f]{2}/gi, (code) => (/[\w.~-]/.test(decodeURIComponent(code.toLowerCase() >= '%80' ? '%20' : code)) ? decodeURIComponent(code) : code.toUpperCase()))
  return [posix.normalize(plain), ...query].join('?')
}

/** Go's net/http takes a whole URL as target apart before a handler sees it, and Host follows the URL. */
function goTarget(incoming: IncomingMessage): { readonly uri: string; readonly host: string } {
  const whole = /^https?:\/\/([^/?#]*)(.*)$/.exec(incoming.url!)
  return whole ? { host: whole[1]!, uri: whole[2] === '' ? '/' : whole[2]! } : { host: incoming.headers.host ?? '', uri: incoming.url! }
}

interface TraefikFile { readonly http: { readonly middlewares: { readonly postern: { readonly forwardAuth: { readonly address: string; readonly trustForwardHeader: boolean; readonly authResponseHeaders: string[] } } } } }

/** pkg/middlewares/auth/forward.go: copies the headers, writes X-Forwarded-*, deletes each of authResponseHeaders before it sets it. */
function traefikJudge(facts: SnippetFacts): Judge {
  const { address, authResponseHeaders } = (parse(traefikSnippet(facts).get('dynamic.yaml')!) as TraefikFile).http.middlewares.postern.forwardAuth
  const url = new URL(address)
  return async (incoming) => {
    const { host, uri: given } = goTarget(incoming)
    const uri = tidied(given)
    if (uri === undefined) return refusal(400)
    // The entry point trusts nobody, so what the client says of these is gone already.
    const clean = without(linesOf(incoming), [...HOP, 'host', 'content-length', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port', 'x-forwarded-server', 'x-forwarded-uri', 'x-forwarded-method', 'x-forwarded-prefix', 'x-real-ip'])
    const peer = incoming.socket.remoteAddress!
    const said: Lines = [['X-Forwarded-For', peer], ['X-Forwarded-Method', incoming.method!], ['X-Forwarded-Proto', 'http'], ['X-Forwarded-Port', '80'], ['X-Forwarded-Host', host], ['X-Forwarded-Uri', uri]]
    const answer = await ask(url.host, 'GET', url.pathname, [['Host', url.host], ...clean, ...said])
    if (!answer) return refusal(500)
    if (answer.status < 200 || answer.status > 299) return { answer }
    const kept = without(clean, authResponseHeaders)
    const set = answer.lines.filter(([name]) => authResponseHeaders.some((wanted) => wanted.toLowerCase() === name.toLowerCase()))
    const length = linesOf(incoming).filter(([name]) => name.toLowerCase() === 'content-length')
    return { target: uri, lines: [['Host', host], ...kept, ...length, ...set, ['X-Forwarded-For', peer]], toClient: [] }
  }
}

interface Patterns { readonly patterns: readonly { readonly exact?: string; readonly safe_regex?: { readonly regex: string } }[] }
interface ExtAuthz {
  readonly failure_mode_allow: boolean
  readonly status_on_error: { readonly code: string }
  readonly allowed_headers: Patterns
  readonly http_service: { readonly path_prefix: string; readonly authorization_response: { readonly allowed_upstream_headers: Patterns; readonly allowed_client_headers_on_success: Patterns } }
}

interface Mapper { readonly status_code: number; readonly headers_to_add: { readonly header: { readonly key: string; readonly value: string } }[]; readonly body_format_override: { readonly content_type: string; readonly text_format_source: { readonly inline_string: string } } }
interface Manager { readonly http_filters: { readonly typed_config: ExtAuthz }[]; readonly local_reply_config: { readonly mappers: Mapper[] } }

function managerOf(facts: SnippetFacts): Manager {
  // The shape of the file that is shipped, of which only this is looked at.
  const file = parse(envoySnippet(facts).get('envoy.yaml')!) as { static_resources: { listeners: { filter_chains: { filters: { typed_config: Manager }[] }[] }[] } }
  return file.static_resources.listeners[0]!.filter_chains[0]!.filters[0]!.typed_config
}

const extAuthzOf = (facts: SnippetFacts): ExtAuthz => managerOf(facts).http_filters[0]!.typed_config

/** What clients get where the filter has no answer: the one local reply that the file words. */
function outage(facts: SnippetFacts): Judged {
  const { status_code, headers_to_add, body_format_override } = managerOf(facts).local_reply_config.mappers[0]!
  const worded = (text: string): string => text.replaceAll('%REQ(X-REQUEST-ID)%', 'an-id-of-the-caller').replaceAll('%%', '%')
  const body = Buffer.from(worded(body_format_override.text_format_source.inline_string))
  return { answer: { status: status_code, body, lines: [...headers_to_add.map(({ header }): [string, string] => [header.key, worded(header.value)]), ['content-type', body_format_override.content_type], ['content-length', String(body.length)]] } }
}

const matches = ({ patterns }: Patterns) => (name: string): boolean => patterns.some(({ exact, safe_regex }) => exact?.toLowerCase() === name.toLowerCase() || (safe_regex && new RegExp(`^(?:${safe_regex.regex})$`).test(name.toLowerCase())))

/** ext_authz over HTTP: request line, Host, Content-Length and Authorization, and the listed headers; only 200 lets pass; 5xx is an error. */
function envoyJudge(facts: SnippetFacts): Judge {
  const filter = extAuthzOf(facts)
  const { path_prefix, authorization_response: response } = filter.http_service
  const [asked, upstream, success] = [matches(filter.allowed_headers), matches(response.allowed_upstream_headers), matches(response.allowed_client_headers_on_success)]
  return async (incoming) => {
    const lines = linesOf(incoming)
    // headers_with_underscores_action: REJECT_REQUEST
    if (lines.some(([name]) => name.includes('_'))) return refusal(400)
    const absolute = /^https?:\/\/([^/?#]*)(.*)$/.exec(incoming.url!)
    const [host, target] = absolute ? [absolute[1]!, absolute[2] === '' ? '/' : absolute[2]!] : [incoming.headers.host ?? '', incoming.url!]
    const given = lines.filter(([name]) => name.toLowerCase() === 'x-forwarded-for').map(([, value]) => value)
    const base: Lines = [...without(lines, [...HOP, 'host', 'x-forwarded-for', 'x-forwarded-proto']).filter(([name]) => !name.toLowerCase().startsWith('x-envoy-')), ['x-forwarded-for', [...given, incoming.socket.remoteAddress!].join(',')], ['x-forwarded-proto', 'http']]
    const question: Lines = [['Host', host], ['Content-Length', '0'], ...base.filter(([name]) => name.toLowerCase() === 'authorization' || asked(name))]
    const answer = await ask(facts.postern, incoming.method!, `${path_prefix}${target}`, question)
    // An answer of 5xx is none, and nothing of it reaches the client.
    if (!answer || answer.status >= 500) return filter.failure_mode_allow ? { target, lines: [['Host', host], ...base], toClient: [] } : outage(facts)
    if (answer.status !== 200) return { answer }
    const set = answer.lines.filter(([name]) => upstream(name))
    const removed = answer.lines.filter(([name]) => name.toLowerCase() === 'x-envoy-auth-headers-to-remove').flatMap(([, value]) => value.split(',').map((name) => name.trim()))
    return { target, lines: [['Host', host], ...without(base, [...set.map(([name]) => name), ...removed]), ...set], toClient: answer.lines.filter(([name]) => success(name)) }
  }
}

/** ext_authz over gRPC: every header line, and answers of any status; only an error of the call itself is one. */
function envoyGrpcJudge(facts: SnippetFacts): Judge {
  const port = Number(facts.grpc!.split(':')[1])
  return async (incoming) => {
    const lines = linesOf(incoming)
    if (lines.some(([name]) => name.includes('_'))) return refusal(400)
    const absolute = /^https?:\/\/([^/?#]*)(.*)$/.exec(incoming.url!)
    const [host, target] = absolute ? [absolute[1]!, absolute[2] === '' ? '/' : absolute[2]!] : [incoming.headers.host ?? '', incoming.url!]
    const given = lines.filter(([name]) => name.toLowerCase() === 'x-forwarded-for').map(([, value]) => value)
    const base: Lines = [...without(lines, [...HOP, 'host', 'x-forwarded-for', 'x-forwarded-proto']).filter(([name]) => !name.toLowerCase().startsWith('x-envoy-')), ['x-forwarded-for', [...given, incoming.socket.remoteAddress!].join(',')], ['x-forwarded-proto', 'http']]
    const answer = await call(port, plainCheckRequest({ method: incoming.method!, path: target, host, scheme: 'http', headers: base.map(([name, value]) => [name.toLowerCase(), value] as const) })).catch(() => undefined)
    if (!answer || answer.grpcStatus !== '0') return outage(facts)
    if (answer.denied) return { answer: { status: answer.denied.status, lines: answer.denied.headers.map(([name, value]) => [name, value]), body: Buffer.from(answer.denied.body) } }
    const set = Object.entries(answer.set)
    return { target, lines: [['Host', host], ...without(base, [...set.map(([name]) => name), ...answer.remove]), ...set], toClient: Object.entries(answer.toClient) }
  }
}

export const TRAEFIK_STATIC = (facts: SnippetFacts): string => `entryPoints: { web: { address: "${facts.listen}" } }\nproviders: { file: { filename: "@FOLDER@/dynamic.yaml" } }\n`

/** Until it has read its routers, everything is "404 page not found"; the 404 of a path without a route is Postern's. */
const hasRouters = (port: number) => (): Promise<boolean> => fetch(`http://127.0.0.1:${port}/nowhere`).then(({ headers }) => headers.get('content-type')?.includes('json') === true, () => false)

const traefikReal = (facts: SnippetFacts): Promise<Caller> =>
  startProgram({ files: new Map([...traefikSnippet(facts), ['traefik.yaml', TRAEFIK_STATIC(facts)]]), command: (folder) => [programOf('traefik'), `--configFile=${folder}/traefik.yaml`], port: portOf(facts), ready: hasRouters(portOf(facts)) })

export const TRAEFIK: CallerKind = { name: 'Traefik', tidies: true, real: onPath('traefik'), start: (facts) => (onPath('traefik') ? traefikReal(facts) : listen(facts, traefikJudge(facts))) }

const envoyReal = (facts: SnippetFacts): Promise<Caller> => startProgram({ files: envoySnippet(facts), command: (folder) => [programOf('envoy'), '--use-dynamic-base-id', '-c', `${folder}/envoy.yaml`], port: portOf(facts) })

export const ENVOY_GRPC: CallerKind = { name: 'Envoy over gRPC', grpc: true, real: onPath('envoy'), start: (facts) => (onPath('envoy') ? envoyReal(facts) : listen(facts, envoyGrpcJudge(facts))) }

export const ENVOY: CallerKind = { name: 'Envoy', real: onPath('envoy'), start: (facts) => (onPath('envoy') ? envoyReal(facts) : listen(facts, envoyJudge(facts))) }
