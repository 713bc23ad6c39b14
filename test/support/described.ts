import { NO_NETWORKS } from '../../src/base/cidr.ts'
import type { Extraction } from '../../src/model/credential.ts'
import type { Authenticator, Verification } from '../../src/model/ports.ts'
import type { IdentifiedPrincipal } from '../../src/model/principal.ts'
import type { QuotaPolicy } from '../../src/model/quota.ts'
import type { RequestDescription, Target } from '../../src/model/request.ts'
import type { AuthenticatorUse, Route } from '../../src/model/route.ts'

/** Plain values for tests of the pipe: what a face would have described. */

export interface RequestSketch {
  readonly method?: string
  readonly path?: string
  readonly query?: string
  readonly host?: string
  readonly scheme?: Target['scheme']
  readonly ip?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly upgrade?: 'websocket'
  readonly body?: unknown
}

export function request(sketch: RequestSketch = {}): RequestDescription {
  const { method = 'GET', path = '/', query = '', host = 'api.example', scheme = 'http', ip = '192.0.2.1' } = sketch
  return {
    id: 'r-1',
    receivedAt: 1_000,
    method,
    target: { scheme, host, path, query },
    headers: new Map(Object.entries(sketch.headers ?? {}).map(([name, value]) => [name, typeof value === 'string' ? [value] : value])),
    client: { ip, peer: ip, trustedHops: 0, partition: ip },
    ...(sketch.upgrade && { upgrade: sketch.upgrade }),
    ...(sketch.body !== undefined && { body: { bytes: new Uint8Array(), value: sketch.body } }),
  }
}

export function principal(subject: string, more: Partial<IdentifiedPrincipal> = {}): IdentifiedPrincipal {
  const carrier = { kind: 'header', name: 'authorization' } as const
  return { kind: 'identified', subject, authenticatorId: 'jwt', scopes: new Set(), roles: [], carrier, locations: [carrier], attributes: {}, ...more }
}

export interface AuthenticatorSketch {
  readonly id?: string
  readonly kind?: Authenticator['kind']
  readonly finds?: 'credential' | 'missing' | 'foreign' | 'ambiguous' | 'malformed'
  readonly says?: Verification
}

const LOCATION = { kind: 'header', name: 'authorization' } as const

function extraction(finds: NonNullable<AuthenticatorSketch['finds']>): Extraction {
  if (finds === 'missing') return undefined
  if (finds === 'credential') return { kind: 'credential', value: 'secret', locations: [LOCATION] }
  return { kind: finds, location: LOCATION }
}

export function use(sketch: AuthenticatorSketch = {}, more: Partial<Omit<AuthenticatorUse, 'authenticator'>> = {}): AuthenticatorUse {
  const { id = 'jwt', kind = 'jwt', finds = 'credential', says = { kind: 'authenticated', principal: principal('alice', { authenticatorId: id }) } } = sketch
  return {
    authenticator: { id, kind, challenge: { scheme: 'Bearer', parameters: [] }, carriers: [LOCATION], forwardCredential: 'strip', extract: () => extraction(finds), verify: () => says },
    optional: false,
    scopes: [],
    onMissing: 'next',
    onInvalid: 'reject',
    onUnavailable: 'error',
    ...more,
  }
}

export function route(more: Partial<Route> = {}): Route {
  return {
    id: 'test',
    deniedNetworks: NO_NETWORKS,
    requireHttps: false,
    authentication: { mode: 'none' },
    challenges: [{ scheme: 'Bearer', parameters: [] }],
    requirements: { scopes: [], roles: [], claims: [], tierRanks: new Map() },
    csrf: { origins: new Set() },
    clientQuotas: [],
    principalQuotas: () => [],
    failureQuotas: [],
    mutators: [],
    upstreamId: 'default',
    requestHeaders: { set: [], remove: [] },
    maxBodyBytes: 1_000_000,
    observe: false,
    ...more,
  }
}

export function policy(more: Partial<QuotaPolicy> = {}): QuotaPolicy {
  return { id: 'minute', name: 'minute', quota: 2, windowMs: 60_000, algorithm: 'fixed', onUnavailable: 'local', shadow: false, reported: false, ...more }
}
