import { credentialHeaders, replacedHeaders } from '../../config/compile-forward-auth.ts'
import { clientAddress } from '../../config/check-config.ts'
import { checksAddress, checksTls } from '../../config/check-listeners.ts'
import type { Address } from '../../config/scalars.ts'
import type { Config } from '../../config/schema.ts'
import type { WireSettings } from '../../model/gateway.ts'
import type { Authenticator } from '../../model/ports.ts'
import { listenerSettings } from '../listener-settings.ts'
import { replyOf } from '../../wire/reply.ts'

/** What a snippet is filled in with. */
export interface SnippetFacts {
  /** `host:port` at which callers and clients reach Postern. */
  readonly postern: string
  /** `host:port` of the listener for gRPC, where there is one. */
  readonly grpc?: string
  /** Postern speaks TLS where it is asked over HTTP. */
  readonly tls: boolean
  /** Postern speaks TLS where it is asked over gRPC. */
  readonly grpcTls: boolean
  /** `host:port` of the API. */
  readonly api: string
  /** `host:port` where the calling proxy takes clients. */
  readonly listen: string
  readonly opsPort: number
  /** Identity headers and others that Postern writes, as they are written. */
  readonly identity: readonly string[]
  /** Credential headers that the upstream shall not see, unless Postern gives them back. */
  readonly stripped: readonly string[]
  /** Every header in which a credential may stand, lower-case. */
  readonly credentials: readonly string[]
  /** The header in which the caller names the client. */
  readonly clientIp: 'x-forwarded-for' | 'x-real-ip' | 'forwarded'
  /** Callers must show the shared secret. */
  readonly secret: boolean
  /** Content type of refusals. */
  readonly refusalType: string
  /** What clients are told when Postern cannot be asked at all. */
  readonly outage: Outage
  /** Seconds after which a caller should give up an idle connection, before Postern does: a check on one that is just closed is lost. */
  readonly idleSeconds: number
  /** Answers checks; otherwise it stands in front of the API itself. */
  readonly forwardAuth: boolean
  /** Seconds that a drain may take. */
  readonly drainSeconds: number
  /** Version of the image. */
  readonly version: string
}

/** A refusal that a caller gives in the place of Postern, as Postern would have put it. */
export interface Outage {
  readonly status: number
  /** `REQUEST_ID` stands where the id of the request belongs. */
  readonly body: string
  /** Seconds. */
  readonly retryAfter: string
}

/** Stands in a text for the id of the request, until a snippet puts the word of its own language there. */
export const REQUEST_ID = 'REQUEST-ID-OF-THE-CALLER'

/** The name that the certificate at this address must have. */
export const serverName = (address: string): string => address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')

/** A snippet: one or more files. */
export type Snippet = ReadonlyMap<string, string>

/** Names that an operator chose, once each, in any case. */
function distinct(names: readonly string[]): readonly string[] {
  const known = new Map(names.map((name) => [name.toLowerCase(), name]))
  return [...known.values()]
}

function writtenHeaders(config: Config): readonly string[] {
  const asserted = Object.values(config.authenticators ?? {}).flatMap((each) => (each.type === 'api_key' && each.subject ? [each.subject.from_header] : []))
  const routes = (config.routes ?? []).flatMap(({ identity, request_headers }) => [...Object.keys(identity ?? {}), ...Object.keys(request_headers?.set ?? {})])
  return distinct([...Object.keys(config.identity ?? { 'X-User-Id': 'sub' }), ...routes, ...asserted])
}

const CASE: Readonly<Record<string, string>> = { authorization: 'Authorization', cookie: 'Cookie' }

const written = (lower: string): string => CASE[lower] ?? lower.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())

/** `host:port` for a program on the same machine: a listener on every address is reached on loopback. */
function reachable({ host, port, path }: Address): string {
  if (path !== undefined) return `unix:${path}`
  const near = host === '0.0.0.0' || host === '' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `${near.includes(':') ? `[${near}]` : near}:${port}`
}

function apiOf({ upstreams }: Config): string | undefined {
  const url = Object.values(upstreams ?? {})[0]?.url
  return url !== undefined && URL.canParse(url) && !url.startsWith('unix:') ? new URL(url).host : undefined
}

function outageOf(wire: WireSettings): Outage {
  const { status, headers, body } = replyOf({ kind: 'denial', code: 'dependency_unavailable', dependency: 'postern' }, { wire, requestId: REQUEST_ID, now: 0, limits: [] })
  return { status, body: String(body), retryAfter: headers.find(([name]) => name === 'Retry-After')?.[1] ?? '' }
}

/** Four fifths of what Postern keeps an idle connection, so that a slow timer is early enough too. */
const idleOf = ({ listen }: Config): number => Math.max(1, Math.floor((listenerSettings({ listen }).keepAliveTimeoutMs * 0.8) / 1_000))

export interface FactsInput {
  readonly config: Config
  /** How refusals are told. */
  readonly wire: WireSettings
  readonly authenticators: readonly Pick<Authenticator, 'carriers'>[]
  readonly version: string
  /** What the operator says instead of what the config says. */
  readonly overrides?: { readonly postern?: string | undefined; readonly api?: string | undefined; readonly listen?: string | undefined }
}

/** Reads off a config what a snippet needs. Secrets are never among it. */
export function factsOf({ config, wire, authenticators, version, overrides = {} }: FactsInput): SnippetFacts {
  const { forward_auth, mode } = config
  return {
    postern: overrides.postern ?? reachable(forward_auth?.listen ? checksAddress(forward_auth.listen) : clientAddress(config)),
    ...(forward_auth?.grpc && { grpc: reachable(checksAddress(forward_auth.grpc)) }),
    tls: (forward_auth?.listen ? checksTls(forward_auth.listen) : listenerSettings(config).tls) !== undefined,
    grpcTls: forward_auth?.grpc !== undefined && checksTls(forward_auth.grpc) !== undefined,
    api: overrides.api ?? apiOf(config) ?? '127.0.0.1:3000',
    listen: overrides.listen ?? '127.0.0.1:8000',
    opsPort: config.ops === 'off' ? 9090 : config.ops.port,
    identity: writtenHeaders(config),
    stripped: replacedHeaders(config, authenticators).map(written),
    credentials: [...new Set(['authorization', ...credentialHeaders(config, authenticators)])],
    clientIp: config.client_ip.header[0] ?? 'x-forwarded-for',
    secret: (forward_auth?.secret ?? []).length > 0,
    refusalType: config.errors.shape === undefined ? 'application/problem+json' : 'application/json',
    outage: outageOf(wire),
    idleSeconds: idleOf(config),
    forwardAuth: mode === 'forward_auth' || forward_auth !== undefined,
    drainSeconds: Math.ceil((config.drain.delay + config.drain.timeout) / 1_000),
    version,
  }
}

