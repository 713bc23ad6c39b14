import { STATUS_CODES } from 'node:http'
import type { EpochMs } from '../base/time.ts'
import type { Face, Observer } from '../model/event.ts'
import type { AuthenticatorKind } from '../model/ports.ts'
import { exposition, type Exposition } from './exposition.ts'
import { createInstruments, type Instruments } from './instruments.ts'
import { createBounded, createKnown } from './known.ts'
import { declareSeries, type KnownNames } from './known-series.ts'
import { watchRuntime } from './runtime-metrics.ts'
import { denialOf, outcomeOf, slugOf, speakerOf } from './speaker.ts'

/** State that is read rather than counted. */
export type StateMetric = 'postern_config_warnings' | 'postern_draining' | 'postern_node_below_security_floor' | 'postern_observe_mode' | 'postern_upstream_healthy'

type Counted = 'decided' | 'answered' | 'exchanged' | 'called' | 'cached' | 'stripped' | 'opened' | 'closed' | 'failedOpen'

/** What is counted. Every label value is from a closed set or bounded; nothing a client chooses becomes a series (T56). */
export interface Metrics extends Pick<Observer, Counted> {
  readonly faulted: () => void
  /** Creates the series of a config with 0, so that none is missing. Called for each config taken into use. */
  readonly declare: (names: KnownNames) => void
  readonly reloaded: (outcome: 'success' | 'failure', at: EpochMs) => void
  readonly set: (name: StateMetric, value: number) => void
  /** Replaces the set of checks that are not fine. */
  readonly degraded: (what: readonly string[]) => void
  readonly keySet: (provider: string, state: { readonly lastSuccessAt: EpochMs | undefined; readonly keys: number }) => void
  /** Managed keys of each state, by authenticator; those of an earlier config are forgotten. */
  readonly apiKeys: (counts: ReadonlyMap<string, Readonly<Record<string, number>>>) => void
  /** Stores of keys and denials, by the name of their check; those of an earlier config are forgotten. */
  readonly keyStores: (stores: readonly { readonly name: string; readonly answeredAt: EpochMs | undefined; readonly error: string | undefined }[]) => void
  /** Runs before every scrape; for state that only others know. */
  readonly beforeScrape: (update: () => void) => void
  /** The text of /metrics, in the form that the scraper's `Accept` prefers. */
  readonly expose: (accept?: string) => Promise<Exposition>
  readonly close: () => void
}

const KNOWN_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'])

/** More config names than this are counted together: a scrape is synchronous and must stay short. */
const MAX_NAMES = 200

const seconds = (ms: number): number => ms / 1_000

const statusLabel = (status: number): string => (STATUS_CODES[status] === undefined ? '_OTHER' : String(status))

/** Decisions. What their labels lead to is looked up once: a walk through every label of every metric is what counting would cost. */
function countDecisions({ cell, count, series }: Instruments): Pick<Metrics, 'decided'> {
  const adminRoute = createBounded(MAX_NAMES, (label) => label)
  const policies = createBounded(MAX_NAMES, (label) => createKnown((outcome: string) => cell('postern_rate_limit_decisions_total', label, outcome)))
  const kinds = createKnown((kind: AuthenticatorKind | 'none') => ({
    outcomes: createKnown((outcome: string) => createKnown((reason: string) => cell('postern_decisions_total', outcome, kind, reason))),
    duration: series('postern_decision_duration_seconds', kind),
  }))
  return {
    decided: ({ face, decision, durationMs }) => {
      const denial = denialOf(decision)
      const reason = denial ? slugOf(denial) : 'none'
      // Operators are not traffic: they would blur what clients see.
      if (face === 'admin') count('postern_admin_decisions_total', adminRoute(decision.route?.id ?? 'none'), outcomeOf(decision), reason)
      else {
        const { outcomes, duration } = kinds(speakerOf(decision)?.kind ?? 'none')
        outcomes(outcomeOf(decision))(reason).count += 1
        duration(seconds(durationMs))
      }
      for (const { policy, exceeded } of decision.limits) policies(policy.id)(exceeded ? (policy.shadow ? 'shadow_limited' : 'limited') : 'allowed').count += 1
    },
  }
}

/** Answers, and what was done to requests on the way. */
function countRequests({ cell, count, series }: Instruments): Pick<Metrics, 'answered' | 'stripped' | 'failedOpen'> {
  const headerLabel = createBounded(MAX_NAMES, (label) => label)
  const reasonLabel = createBounded(MAX_NAMES, (label) => label)
  const faces = createKnown((face: Face) => ({
    methods: createKnown((method: string) => createKnown((status: number) => cell('postern_http_requests_total', face, method, statusLabel(status)))),
    duration: series('postern_http_request_duration_seconds', face),
  }))
  return {
    answered: ({ face, method, status, durationMs }) => {
      const { methods, duration } = faces(face)
      methods(KNOWN_METHODS.has(method) ? method : '_OTHER')(status).count += 1
      duration(seconds(durationMs))
    },
    stripped: (header) => count('postern_stripped_headers_total', headerLabel(header)),
    failedOpen: (reason) => count('postern_fail_open_total', reasonLabel(reason)),
  }
}

/** Calls to others. */
function countCalls({ cell, count, series }: Instruments): Pick<Metrics, 'exchanged' | 'called' | 'cached'> {
  const providerLabel = createBounded(MAX_NAMES, (label) => label)
  const caches = createBounded(MAX_NAMES, (label) => createKnown((result: string) => cell('postern_cache_requests_total', label, result)))
  const exchanges = createKnown((outcome: string) => cell('postern_upstream_requests_total', outcome))
  const exchangeDuration = series('postern_upstream_request_duration_seconds')
  return {
    exchanged: ({ outcome, durationMs }) => {
      exchanges(outcome).count += 1
      exchangeDuration(seconds(durationMs))
    },
    called: ({ provider, operation, outcome, durationMs }) => {
      const label = providerLabel(provider)
      count('postern_provider_requests_total', label, operation, outcome)
      series('postern_provider_request_duration_seconds', label, operation)(seconds(durationMs))
    },
    cached: (cache, result) => {
      caches(cache)(result).count += 1
    },
  }
}

/** What is open now: plain numbers, written out at the scrape. */
function countOpen({ set }: Instruments): Pick<Metrics, 'opened' | 'closed'> & { readonly update: () => void } {
  const requests: Record<Face, number> = { proxy: 0, forward_auth: 0, admin: 0 }
  let tunnels = 0
  const change = (what: 'request' | 'tunnel', face: Face, by: 1 | -1): void => {
    if (what === 'request') requests[face] += by
    else tunnels += by
  }
  return {
    opened: (what, face) => change(what, face, 1),
    closed: (what, face) => change(what, face, -1),
    update: () => {
      for (const [face, value] of Object.entries(requests)) set('postern_requests_in_flight', value, { face })
      set('postern_websocket_connections', tunnels)
    },
  }
}

/** What the process says of itself: config, checks, key sets. */
function reportState({ count, set, forget }: Instruments): Pick<Metrics, 'reloaded' | 'set' | 'degraded' | 'keySet' | 'apiKeys' | 'keyStores'> {
  return {
    reloaded: (outcome, at) => {
      count('postern_config_reloads_total', outcome)
      set('postern_config_last_reload_successful', outcome === 'success' ? 1 : 0)
      if (outcome === 'success') set('postern_config_last_reload_success_timestamp_seconds', seconds(at))
    },
    set: (name, value) => set(name, value),
    degraded: (what) => {
      forget('postern_degraded')
      for (const name of what) set('postern_degraded', 1, { what: name })
    },
    keySet: (provider, { lastSuccessAt, keys }) => {
      set('postern_jwks_last_success_timestamp_seconds', seconds(lastSuccessAt ?? 0), { provider })
      set('postern_jwks_keys', keys, { provider })
    },
    apiKeys: (counts) => {
      forget('postern_api_keys')
      for (const [provider, states] of counts) for (const [state, keys] of Object.entries(states)) set('postern_api_keys', keys, { provider, state })
    },
    keyStores: (stores) => {
      forget('postern_key_store_up')
      forget('postern_key_store_last_answer_timestamp_seconds')
      for (const { name: store, answeredAt, error } of stores) {
        set('postern_key_store_up', answeredAt !== undefined && error === undefined ? 1 : 0, { store })
        set('postern_key_store_last_answer_timestamp_seconds', seconds(answeredAt ?? 0), { store })
      }
    },
  }
}

export interface MetricsOptions {
  readonly version: string
  /** Of the source, or `unknown`. */
  readonly revision: string
}

export function createMetrics({ version, revision }: MetricsOptions): Metrics {
  const instruments = createInstruments()
  const runtime = watchRuntime(instruments)
  const { update, ...open } = countOpen(instruments)
  const updates: (() => void)[] = [runtime.update, update]
  instruments.set('postern_build_info', 1, { version, revision, node_version: process.versions.node })
  instruments.set('postern_upstream_healthy', 1)
  return {
    ...countDecisions(instruments),
    ...countRequests(instruments),
    ...countCalls(instruments),
    ...open,
    ...reportState(instruments),
    faulted: () => instruments.count('postern_faults_total'),
    declare: (names) => declareSeries(instruments, names),
    beforeScrape: (hook) => void updates.push(hook),
    expose: async (accept) => {
      for (const hook of updates) hook()
      return exposition(await instruments.text(), accept)
    },
    close: runtime.stop,
  }
}
