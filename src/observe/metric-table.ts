/** Seconds of a whole request, the advisory set of OpenTelemetry's `http.server.request.duration`. */
const REQUEST_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] as const

/** Seconds of our own decision, which is usually far below a millisecond. */
const DECISION_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1] as const

const GC_BUCKETS = [0.001, 0.01, 0.1, 1, 2, 5] as const

/** What one metric is. `docs/metrics.md` is generated from these, label values included. */
export interface MetricDescription {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** Label name to its closed set, in words. */
  readonly labels: Readonly<Record<string, string>>
  readonly buckets?: readonly number[]
}

const FACES = 'proxy, forward_auth or admin'
const METHODS = 'jwt, api_key, supabase, introspection, session, remote, anonymous or none: the kind of authenticator that spoke'
const PROVIDER = 'authenticator, from the config'
const OPERATION = 'jwks, discovery, introspection, user, session, remote or store'

/** Every metric, in the order of the exposition. Label values are closed sets, from the code or from the config (T56). */
export const METRICS = {
  postern_build_info: { type: 'gauge', help: 'Always 1; the labels say what runs', labels: { version: 'of Postern', revision: 'of the source it was built from, or unknown', node_version: 'of Node' } },
  postern_http_requests_total: { type: 'counter', help: 'Requests answered', labels: { face: FACES, method: 'one of nine, or _OTHER', code: 'HTTP status, or _OTHER when it is not a registered one' } },
  postern_http_request_duration_seconds: { type: 'histogram', help: 'Time from the request head to the end of the answer', labels: { face: FACES }, buckets: REQUEST_BUCKETS },
  postern_requests_in_flight: { type: 'gauge', help: 'Requests that are being served', labels: { face: FACES } },
  postern_websocket_connections: { type: 'gauge', help: 'Open tunnels', labels: {} },
  postern_decisions_total: { type: 'counter', help: 'Decisions', labels: { outcome: 'allow, deny, or error when it could not be decided', method: METHODS, reason: 'none, the reason, or else the code of the refusal' } },
  postern_admin_decisions_total: { type: 'counter', help: 'Decisions on the admin listener, which are not among the others', labels: { route: 'admin: and the operation or page, or none', outcome: 'allow, deny, or error when it could not be decided', reason: 'none, the reason, or else the code of the refusal' } },
  postern_decision_duration_seconds: { type: 'histogram', help: 'Time to decide, calls to providers included', labels: { method: METHODS }, buckets: DECISION_BUCKETS },
  postern_upstream_requests_total: { type: 'counter', help: 'Exchanges with an upstream', labels: { outcome: 'ok, connect_error, timeout, reset, client_abort or protocol_error' } },
  postern_upstream_request_duration_seconds: { type: 'histogram', help: 'Time of an exchange with an upstream', labels: {}, buckets: REQUEST_BUCKETS },
  postern_upstream_healthy: { type: 'gauge', help: 'Whether connections to every upstream succeed, seen on real requests', labels: {} },
  postern_provider_requests_total: { type: 'counter', help: 'Calls to identity providers and other sources', labels: { provider: PROVIDER, operation: OPERATION, outcome: 'ok, error or timeout' } },
  postern_provider_request_duration_seconds: { type: 'histogram', help: 'Time of a call to a provider', labels: { provider: PROVIDER, operation: OPERATION }, buckets: REQUEST_BUCKETS },
  postern_jwks_last_success_timestamp_seconds: { type: 'gauge', help: 'When the key set was last fetched, 0 for never', labels: { provider: PROVIDER } },
  postern_jwks_keys: { type: 'gauge', help: 'Usable keys in the key set', labels: { provider: PROVIDER } },
  postern_api_keys: { type: 'gauge', help: 'Managed keys, counted every five minutes', labels: { provider: PROVIDER, state: 'active, suspended, revoked, expired, or expiring: active, and at its end within 14 days' } },
  postern_key_store_up: { type: 'gauge', help: 'Whether a store of keys or denials answered when it was last asked', labels: { store: 'name of its check of /readyz' } },
  postern_key_store_last_answer_timestamp_seconds: { type: 'gauge', help: 'When it last answered, 0 for never', labels: { store: 'name of its check of /readyz' } },
  postern_cache_requests_total: { type: 'counter', help: 'Questions to a cache', labels: { cache: 'name of the cache', result: 'hit, miss or stale' } },
  postern_rate_limit_decisions_total: { type: 'counter', help: 'Quota policies applied', labels: { policy: 'from the config', outcome: 'allowed, limited or shadow_limited' } },
  postern_fail_open_total: { type: 'counter', help: 'Times a control ended open', labels: { reason: 'slug of the control' } },
  postern_stripped_headers_total: { type: 'counter', help: 'Identity headers that a client claimed and that were removed', labels: { header: 'configured identity headers' } },
  postern_faults_total: { type: 'counter', help: 'Bugs: exceptions that ended as a refusal or were survived', labels: {} },
  postern_config_last_reload_successful: { type: 'gauge', help: 'Whether the running config is the newest one on disk', labels: {} },
  postern_config_last_reload_success_timestamp_seconds: { type: 'gauge', help: 'When the running config was taken into use', labels: {} },
  postern_config_reloads_total: { type: 'counter', help: 'Reloads', labels: { outcome: 'success or failure' } },
  postern_config_warnings: { type: 'gauge', help: 'Warnings about the running config', labels: {} },
  postern_degraded: { type: 'gauge', help: 'Checks of /readyz that are not fine; 1 for each', labels: { what: 'name of the check' } },
  postern_observe_mode: { type: 'gauge', help: 'Whether the gateway lets pass what it would refuse (`observe: true`)', labels: {} },
  postern_draining: { type: 'gauge', help: 'Whether this instance is about to end', labels: {} },
  postern_node_below_security_floor: { type: 'gauge', help: 'Whether this Node lacks known security fixes', labels: {} },
  process_cpu_seconds_total: { type: 'counter', help: 'User and system CPU time', labels: {} },
  process_resident_memory_bytes: { type: 'gauge', help: 'Resident memory', labels: {} },
  process_start_time_seconds: { type: 'gauge', help: 'Start of the process, since the epoch', labels: {} },
  process_open_fds: { type: 'gauge', help: 'Open file descriptors (Linux)', labels: {} },
  nodejs_eventloop_lag_p50_seconds: { type: 'gauge', help: 'Median delay of the event loop since the last scrape', labels: {} },
  nodejs_eventloop_lag_p99_seconds: { type: 'gauge', help: '99th percentile of the delay of the event loop since the last scrape', labels: {} },
  nodejs_heap_size_used_bytes: { type: 'gauge', help: 'Used JavaScript heap', labels: {} },
  nodejs_gc_duration_seconds: { type: 'histogram', help: 'Pauses by garbage collection', labels: { kind: 'major, minor, incremental or weakcb' }, buckets: GC_BUCKETS },
} as const satisfies Record<string, MetricDescription>

export type MetricName = keyof typeof METRICS
