import type { MaybePromise } from '../../src/base/time.ts'
import { createProxyFace, type ProxyFace } from '../../src/faces/proxy/server.ts'
import type { ListenerSettings } from '../../src/faces/proxy/settings.ts'
import { createUpstreamPools, type UpstreamPools } from '../../src/faces/proxy/pools.ts'
import type { Allow, Answer, Decision, Deny } from '../../src/model/decision.ts'
import type { Denial } from '../../src/model/denial.ts'
import { type Observer, SILENT } from '../../src/model/event.ts'
import type { Gateway, UpstreamSettings } from '../../src/model/gateway.ts'
import { NO_MUTATION } from '../../src/model/mutation.ts'
import type { Principals } from '../../src/model/principal.ts'
import type { RequestDescription } from '../../src/model/request.ts'
import type { Route } from '../../src/model/route.ts'
import { route as makeRoute } from './described.ts'
import { wireSettings, type WireSettingsOptions } from './wire-settings.ts'

/** Nobody, on purpose. */
export const NOBODY: Principals = { primary: { kind: 'anonymous', authenticatorId: 'test' }, byAuthenticator: new Map(), requiredScopes: new Map() }

export const allow = (route: Route, more: Partial<Allow> = {}): Allow => ({ outcome: 'allow', route, principals: NOBODY, mutation: NO_MUTATION, limits: [], attempts: [], ...more })

export const deny = (denial: Denial, more: Partial<Deny> = {}): Deny => ({ outcome: 'deny', stage: 'authenticate', denial, limits: [], attempts: [], ...more })

export const MISSING: Denial = { kind: 'denial', code: 'credential_missing', challenges: [{ scheme: 'Bearer', parameters: [] }] }

/** An upstream on a local port, with patience for a test and no more. */
export function upstream(target: number | string, more: Partial<UpstreamSettings> = {}): UpstreamSettings {
  const unix = typeof target === 'string'
  return {
    id: 'default',
    key: `${target} ${JSON.stringify(more)}`,
    origin: unix ? 'http://localhost' : `http://127.0.0.1:${target}`,
    basePath: '',
    ...(unix ? { socketPath: target } : {}),
    connectTimeoutMs: 1_000,
    firstByteTimeoutMs: 5_000,
    idleTimeoutMs: 5_000,
    maxConnections: 64,
    keepAlive: true,
    host: 'preserve',
    ...more,
  }
}

export interface GatewayOptions {
  readonly upstreams: readonly UpstreamSettings[]
  readonly route?: Partial<Route>
  /** Default: allows everybody, with an identity that nobody claimed. */
  readonly decide?: (request: RequestDescription, route: Route) => MaybePromise<Decision>
  readonly match?: (request: RequestDescription, route: Route) => Deny | Answer | undefined
  readonly wire?: WireSettingsOptions
}

/** A gateway by hand: no pipe behind it, only what a test says. */
export function gateway({ upstreams, route, decide, match, wire }: GatewayOptions): Gateway {
  const only = makeRoute({ id: 'only', upstreamId: upstreams[0]?.id ?? 'default', maxBodyBytes: 1_000_000_000, ...route })
  return {
    revision: 'test',
    point: {
      match: (request) => match?.(request, only) ?? { kind: 'match', route: only },
      decide: (request) => decide?.(request, only) ?? allow(only, { mutation: { remove: [], removeCookies: [], set: [['X-User-Id', 'verified']] } }),
    },
    wire: wireSettings(wire),
    upstreams: new Map(upstreams.map((settings) => [settings.id, settings])),
    close: async () => undefined,
  }
}

export const listenerSettings = (more: Partial<ListenerSettings> = {}): ListenerSettings => ({
  address: { host: '127.0.0.1', port: 0 },
  proxyProtocol: false,
  maxConnections: 1_000,
  headersTimeoutMs: 5_000,
  bodyIdleTimeoutMs: 5_000,
  keepAliveTimeoutMs: 5_000,
  maxHeaderSize: 16_384,
  maxHeaders: 100,
  ...more,
})

type Events = { [Name in 'decided' | 'exchanged' | 'answered']: Parameters<Observer[Name]>[0][] } & { readonly noticed: string[]; readonly faulted: unknown[]; readonly counts: Record<string, number> }

/** Remembers what it was told. */
export function recordingObserver(): { readonly observer: Observer; readonly events: Events } {
  const events: Events = { decided: [], exchanged: [], answered: [], noticed: [], faulted: [], counts: {} }
  const count = (what: string, by: number): void => void (events.counts[what] = (events.counts[what] ?? 0) + by)
  const observer: Observer = {
    ...SILENT,
    decided: (event) => void events.decided.push(event),
    exchanged: (event) => void events.exchanged.push(event),
    answered: (event) => void events.answered.push(event),
    noticed: (_level, code) => void events.noticed.push(code),
    faulted: (error) => void events.faulted.push(error),
    stripped: (header) => count(`stripped ${header}`, 1),
    opened: (what) => count(what, 1),
    closed: (what) => count(what, -1),
  }
  return { observer, events }
}

export interface RunningProxy {
  readonly face: ProxyFace
  readonly port: number
  readonly url: string
  readonly pools: UpstreamPools
  readonly events: Events
  readonly close: () => Promise<void>
}

/** A proxy face on a real socket. */
export async function startProxy(options: GatewayOptions & { readonly listener?: Partial<ListenerSettings>; readonly gateway?: () => Gateway }): Promise<RunningProxy> {
  const { observer, events } = recordingObserver()
  const only = gateway(options)
  const pools = createUpstreamPools({ observer, clock: Date.now })
  const face = createProxyFace({ gateway: options.gateway ?? (() => only), observer, clock: Date.now, pools, listener: listenerSettings(options.listener) })
  const address = await face.listen()
  const port = 'port' in address ? address.port : 0
  return {
    face,
    port,
    url: `http://127.0.0.1:${port}`,
    pools,
    events,
    close: async () => {
      await face.close()
      await pools.close()
    },
  }
}
