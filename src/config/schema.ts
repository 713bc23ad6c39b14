import { z } from 'zod'
import { address, count, duration, flag, httpUrl, list, oneOrMore, positiveDuration, rate, size, text, upstreamUrl } from './scalars.ts'
import { bodyPolicy, cors, csrf, errors, identity, rateLimitHeaders } from './schema-answers.ts'
import { authenticator } from './schema-authenticators.ts'
import { forwardAuth, listener } from './schema-listeners.ts'
import { keyStore, store } from './schema-store.ts'

const upstream = z.strictObject({
  url: upstreamUrl.describe('`http://host:port`, `https://host:port`, with a path prefix if need be, or `unix:/path`.'),
  connect_timeout: positiveDuration.prefault('2s').describe('Until a connection stands, TLS included.'),
  timeout: positiveDuration.prefault('1m').describe('Until the first byte of the answer.'),
  idle_timeout: positiveDuration.prefault('5m').describe('Longest pause in an answer or a tunnel.'),
  max_connections: count.prefault(256).describe('Connections to it; further requests wait.'),
  engine: z.enum(['direct', 'undici']).default('direct').describe('Who reads its answers: the strict reader of Postern, or undici.'),
  keep_alive: flag.prefault(true).describe('Whether connections are used again.'),
  host: z.enum(['preserve', 'upstream']).default('preserve').describe('Which Host the upstream sees.'),
  ca: text.optional().describe('PEM file of the authority of an https upstream.'),
  server_name: text.optional().describe('SNI and certificate name, when it is not the host of the URL.'),
}).meta({ title: 'upstream' })

const clientIp = z.strictObject({
  trusted_proxies: list.prefault([]).describe('Networks whose forwarding headers are believed, and `unix` for peers on a unix socket. Empty: nobody.'),
  header: z.union([z.enum(['x-forwarded-for', 'x-real-ip', 'forwarded']), z.array(z.enum(['x-forwarded-for', 'x-real-ip', 'forwarded']))]).default('x-forwarded-for').transform((value) => (typeof value === 'string' ? [value] : value)).describe('Where a trusted proxy names the client; the first that is present.'),
  direct: flag.prefault(false).describe('Says that clients connect directly, which silences the warning about an empty list.'),
}).meta({ title: 'client ip' })

/** The words people bring along, and ours. */
const QUOTA_KEYS: Readonly<Record<string, string>> = { ip: 'client_ip', user: 'principal', api_key: 'credential' }

const quotaKey = text.transform((key) => QUOTA_KEYS[key] ?? key).meta({ title: 'partition' })

/** One quota policy. `limit` is `100/minute`, or a number together with `window`. */
export const quota = z.strictObject({
  name: text.describe('What clients see, and the name of the counter: routes that repeat a name share it.'),
  key: quotaKey.prefault('principal').describe('Who shares a counter: client_ip (or ip), principal (or user), credential (or api_key), route, <authenticator>.id, header:<name>, body.<path>|lower|hmac.'),
  limit: z.union([rate, count]).describe('`100/minute`, `60/10s`, or a number together with `window`.'),
  window: positiveDuration.optional().describe('Length of the window when `limit` is a number.'),
  burst: count.optional().describe('Units at once; makes the policy a GCRA one.'),
  algorithm: z.enum(['fixed', 'sliding', 'calendar', 'gcra']).optional().describe('Default: fixed, or gcra with `burst`.'),
  cost: count.prefault(1).describe('Units that one request takes.'),
  when: z.union([z.literal('anonymous'), z.literal('identified'), z.record(z.string(), oneOrMore)]).optional().describe('Applies only then; `{query.grant_type: password}` looks at the query.'),
  skip: list.optional().describe('Authenticators whose principals are exempt.'),
  on_store_error: z.enum(['local', 'deny', 'allow']).default('local').describe('While the store of shared counters cannot be asked: count in this process, refuse with 503, or let pass.'),
  shadow: flag.prefault(false).describe('Counts and reports, never refuses.'),
  report: z.enum(['legacy', 'none']).default('none').describe('`legacy`: X-RateLimit-* show this policy.'),
}).meta({ title: 'quota policy' })

const failureBudget = z.strictObject({
  limit: rate.describe('Refused credentials per window.'),
  key: z.enum(['client_ip', 'account']).default('client_ip').describe('Who shares the budget: a client address, or the account that the credential names (issuer and subject of a token, or the user that a service names). Anybody can name an account and so block it.'),
  backoff: positiveDuration.optional().describe('A window that was spent whole makes the next one twice as long, up to this.'),
}).meta({ title: 'failure budget' })

const authUse = z.union([
  text,
  z.strictObject({ use: text.describe('Name of an authenticator.'), scopes: list.prefault([]).describe('Scopes that are needed when this one answers.') }),
  z.strictObject({ optional: text.describe('Name of an authenticator whose credential may be missing, but not wrong.'), scopes: list.prefault([]).describe('Scopes that are needed when this one answers.') }),
]).meta({ title: 'use of an authenticator' })

const primary = text.optional().describe('The authenticator whose principal speaks for the request. Default: the first that let it in.')

const routeAuth = z.union([
  text,
  z.array(authUse).min(1),
  z.strictObject({ any: z.array(authUse).min(1).describe('The first of these whose credential is present decides.'), primary }),
  z.strictObject({ all: z.array(authUse).min(1).describe('Every one of these must let the request in.'), primary }),
]).meta({ title: 'route auth' })

const match = z.strictObject({
  path: oneOrMore.prefault(['/**']).describe('Patterns of literal segments, {param}, * (one segment) and ** (the rest).'),
  methods: list.optional().describe('Default: every method.'),
  host: list.optional().describe('Exact names, or *.example.com.'),
  query: z.record(z.string(), oneOrMore).optional().describe('Parameters that must stand there exactly once with one of these values. They narrow a route, they never open one. A request that has one twice, in another spelling (`Grant_Type`, `grant.type`, `grant_type[]`), or a `;` in its query is refused with 400 where a route looks at it: the upstream might read another value.'),
}).meta({ title: 'match' })

const mcp = z.strictObject({
  resource: httpUrl.describe('Identifier of the protected resource (RFC 9728), exactly as clients call it.'),
  authorization_servers: z.array(httpUrl).min(1).describe('Issuers whose tokens are accepted.'),
  scopes: list.default([]).describe('Scopes that clients should ask for.'),
  name: text.optional().describe('Human-readable name of the resource.'),
}).meta({ title: 'mcp' })

export const route = z.strictObject({
  name: text.optional().describe('Label in metrics and audit. Default: methods and first path.'),
  match: match.prefault({}).describe('Which requests it governs. The narrowest pattern wins, whatever the order.'),
  auth: routeAuth.optional().describe('none, one name, any or all of several. Default: every authenticator, any.'),
  deny: z.enum(['route_not_found', 'forbidden']).optional().describe('The route exists to refuse, with 404 or 403.'),
  scopes: list.prefault([]).describe('Scopes that the principal must have, all of them.'),
  roles: list.prefault([]).describe('Roles of which the principal must have one.'),
  claims: z.record(z.string(), oneOrMore).default({}).describe('Attributes of the principal, by dotted path, that must have one of these values.'),
  min_tier: text.optional().describe('The lowest of `tiers` that may pass.'),
  allowed_networks: list.optional().describe('Instead of the top-level list.'),
  denied_networks: list.optional().describe('Instead of the top-level list.'),
  require_https: flag.optional().describe('Instead of the top-level setting.'),
  rate_limit: z.union([z.array(quota), z.literal('tier'), z.literal('none')]).optional().describe('Default: the top-level `rate_limit`, on routes with authentication.'),
  upstream: text.optional().describe('Name of one of `upstreams`. Default: the first.'),
  rewrite: z.strictObject({
    path: text.optional().describe('The path to send instead.'),
    strip_prefix: text.optional().describe('Taken away from the front.'),
    add_prefix: text.optional().describe('Put in front.'),
  }).optional().describe('Another path for the upstream than the one that was judged.'),
  request_headers: z.strictObject({
    set: z.record(z.string(), z.string()).default({}).describe('Fields that the upstream gets from here; values are treated as secrets.'),
    remove: list.prefault([]).describe('Fields that it does not get.'),
  }).optional().describe('Fields changed on the way to the upstream.'),
  identity: identity.optional().describe('Instead of the top-level `identity`.'),
  body: bodyPolicy.optional().describe('Reads the request body before the decision. Every other body streams past unread.'),
  respond: z.strictObject({ status: z.number().int().min(200).max(299).default(200).describe('Status of the answer.'), json: z.unknown().describe('Body of the answer.') }).optional().describe('Postern answers itself, with this JSON; `{{principal.email}}` and the like are filled in.'),
  mcp: mcp.optional().describe('Protected-resource metadata (RFC 9728) and its challenge.'),
  max_body: size.optional().describe('Instead of the top-level `max_body`.'),
  cors: cors.optional().describe('Instead of the top-level `cors`.'),
  csrf: csrf.optional().describe('Besides the top-level `csrf`.'),
  mode: z.enum(['enforce', 'observe']).optional().describe('`observe`: decide, count and log, but let pass. Default: what the top-level `observe` says.'),
}).meta({ title: 'route' })

const adminTls = z.strictObject({
  certificate: text.describe('PEM file; re-read when it changes.'),
  key: text.describe('PEM file of the private key.'),
  client_ca: text.optional().describe('PEM file of the authorities of operators: whoever connects must show a certificate of theirs, besides a credential.'),
}).meta({ title: 'admin TLS' })

const adminAccess = z.strictObject({
  scopes: list.prefault([]).describe('All of them.'),
  roles: list.prefault([]).describe('One of them.'),
}).meta({ title: 'admin access' })

/** The one source of the type, the parser, `config/schema.json` and `docs/configuration.md`. */
export const configSchema = z.strictObject({
  version: z.literal(1).describe('Version of this syntax.'),
  mode: z.enum(['proxy', 'forward_auth'], { error: ({ input }) => (input === 'observe' ? 'expected proxy or forward_auth; to observe on every route instead of enforcing, write "observe: true"' : undefined) }).default('proxy').describe('`proxy`: Postern stands in front of the upstream. `forward_auth`: another proxy does, and asks Postern about each request.'),
  observe: flag.prefault(false).describe('Decide, count and log, but let pass, on every route without a `mode` of its own and on what no route matches. For a while before enforcing, never for good.'),
  listen: listener.prefault('127.0.0.1:8080').describe('Where clients connect; with `mode: forward_auth`, where the proxies ask.'),
  ops: z.union([z.literal('off'), address]).prefault('127.0.0.1:9090').describe('Probes and metrics; holds no secret.'),
  admin: z.strictObject({
    listen: address.prefault('127.0.0.1:9091').describe('Where the admin API answers.'),
    tls: adminTls.optional().describe('TLS on the listener. Without it, it belongs on loopback, or behind a proxy that has TLS.'),
    token: z.string().default('').describe('Bearer token of the first admin, who may do everything. Empty and no `auth`: the admin face is off.'),
    auth: list.prefault([]).describe('Authenticators of other operators, by name. Routes of the API that name no authenticators take theirs too.'),
    read: adminAccess.prefault({ scopes: ['postern:read'] }).describe('What others must have to look.'),
    write: adminAccess.prefault({ scopes: ['postern:admin'] }).describe('What others must have to change something; who has it may look, too.'),
    hosts: list.prefault([]).describe('Names that it may be asked by, besides localhost, its own address and any IP address.'),
    allowed_networks: list.optional().describe('Default: every network that reaches the listener.'),
    denied_networks: list.prefault([]).describe('Refused with 403, whatever else is allowed.'),
    require_https: flag.prefault(false).describe('Plain HTTP counts as HTTPS only when a trusted proxy says so.'),
    rate_limit: z.array(quota).default([]).describe('Quota policies of requests to it.'),
    failed_authentication: z.union([failureBudget, z.array(failureBudget).min(1)]).prefault({ limit: '10/minute' }).describe('Budgets of refused credentials.'),
  }).optional().describe('Managing keys over HTTP, on a listener of its own.'),
  public_url: httpUrl.optional().describe('How clients reach this API.'),
  upstream: z.union([upstreamUrl, upstream]).optional().describe('The guarded API, when there is one.'),
  upstreams: z.record(text, upstream).optional().describe('Several upstreams by name; the first is the default.'),
  forward_auth: forwardAuth.optional().describe('Answers checks of other proxies: /_postern/forward (Traefik, Caddy, HAProxy), /_postern/nginx, /_postern/envoy/. Off without this key, unless it is the `mode`.'),
  client_ip: clientIp.prefault({}).describe('Who the client is when there are proxies in front.'),
  require_https: flag.prefault(false).describe('Plain HTTP counts as HTTPS only when a trusted proxy says `X-Forwarded-Proto: https`.'),
  allowed_networks: list.optional().describe('Default: every network. `*` says so explicitly; an empty list means the same and is warned of.'),
  denied_networks: list.prefault([]).describe('Refused with 403, whatever else is allowed.'),
  alias_headers: z.enum(['pass', 'reject']).default('pass').describe('Other header names with `_` or `.`: pass, or 400. Aliases of identity and credential headers never pass.'),
  auth: z.array(z.record(z.string(), z.unknown())).optional().describe('Short form: an ordered list, one key each, the kind.'),
  authenticators: z.record(text, authenticator).optional().describe('Long form: by name.'),
  public: list.prefault([]).describe('`METHOD /path` patterns that need no credential.'),
  routes: z.array(route).optional().describe('Unmatched requests are denied. Default: one route for everything, guarded by every authenticator.'),
  identity: identity.optional().describe('What the upstream learns. Default: X-User-Id.'),
  anonymous_identity: z.enum(['omit', 'empty']).default('omit').describe('Identity headers of an anonymous principal: absent, or present and empty.'),
  forward: z.strictObject({
    credentials: z.union([z.enum(['keep', 'strip']), z.strictObject({ jwt: z.enum(['keep', 'strip']).default('strip').describe('Bearer tokens.'), api_key: z.enum(['keep', 'strip']).default('strip').describe('API keys.'), cookie: z.enum(['keep', 'strip']).default('strip').describe('Session cookies.') })]).default('strip').describe('Whether the upstream still sees verified credentials.'),
    strip: list.prefault([]).describe('Further header names to remove from every request; a trailing * matches any ending.'),
    via: flag.prefault(false).describe('Adds a Via field.'),
  }).prefault({}).describe('What of the client\'s own headers the upstream gets.'),
  rate_limit: z.array(quota).default([]).describe('Quota policies of every route that has authentication and no list of its own.'),
  rate_limit_headers: rateLimitHeaders.prefault({}).describe('How clients learn what is left.'),
  failed_authentication: z.union([failureBudget, z.array(failureBudget).min(1)]).optional().describe('Budgets of refused credentials. One that is spent refuses before anything is verified.'),
  tiers: z.record(text, z.strictObject({ limits: z.array(quota).default([]).describe('Quota policies of routes that say `rate_limit: tier`.') })).optional().describe('Tiers in rising order, each with limits of its own.'),
  store: store.optional().describe('Counters that replicas share: a URL of Redis or Valkey, or more. None or empty: each replica counts in memory.'),
  self_service: z.strictObject({
    path: z.string().regex(/^(\/[A-Za-z0-9._~-]+)+$/, 'expected a path such as "/account/tokens"').default('/account/tokens').describe('Where it answers: GET lists, POST creates, DELETE with the id revokes. Browsers get a page.'),
    auth: oneOrMore.describe('The authenticator of people who sign in: a session or a token, never API keys, and one only, since tokens belong to a subject.'),
    keys: text.optional().describe('The authenticator whose keys they make. Default: the only one with a store.'),
    scopes: list.optional().describe('Scopes that a token may have at most. Default: those of its owner; never more than those.'),
    max_tokens: count.prefault(10).describe('Tokens that work, per person.'),
    max_lifetime: positiveDuration.prefault('90d').describe('Longest life of a token, and the default.'),
  }).optional().describe('Signed-in users list, create and revoke tokens of their own, on the public side.'),
  deny_list: z.strictObject({
    store: keyStore.optional().describe('Where it lives: a location like the `store` of an authenticator of API keys. Default: that store, when there is one.'),
    back_channel_logout: z.strictObject({
      authenticator: text.describe('The authenticator of type jwt whose issuer sends logout tokens; what they name is denied there.'),
      client_id: oneOrMore.describe('Audience of the logout tokens: the client that people log in with.'),
      path: z.string().regex(/^(\/[A-Za-z0-9._~-]+)+$/, 'expected a path such as "/backchannel-logout"').default('/backchannel-logout').describe('Where the provider sends them.'),
      lifetime: positiveDuration.prefault('24h').describe('How long tokens of an ended session could have lived.'),
    }).optional().describe('OpenID Connect Back-Channel Logout 1.0: the provider ends sessions here too.'),
  }).optional().describe('Tokens, sessions and people that `postern deny` ended before their time. Asked about every proof; while it cannot be read for longer than five minutes, 503.'),
  errors: errors.prefault({}).describe('What refusals look like. Default: problem details (RFC 9457).'),
  cors: cors.optional().describe('Which pages of other origins may read answers. Default: none.'),
  csrf: csrf.prefault({}).describe('Which pages may send unsafe requests with a session cookie.'),
  max_body: size.prefault('10GiB').describe('Largest request body that streams past.'),
  drain: z.strictObject({
    delay: duration.prefault('5s').describe('Between the end of readiness and the end of listening.'),
    timeout: duration.prefault('20s').describe('How long requests that are under way may take then.'),
  }).prefault({}).describe('What happens on SIGTERM. Both together must fit the grace period of whoever stops us.'),
  log: z.strictObject({
    format: z.enum(['json', 'pretty', 'auto']).default('auto').describe('auto: pretty on a terminal, JSON lines elsewhere.'),
    level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info').describe('The least that is written.'),
  }).prefault({}).describe('The log, on standard error.'),
  audit: text.default('stdout').describe('stdout, stderr, off, or a file.'),
  tracing: z.strictObject({ enabled: flag.prefault(true).describe('Makes a traceparent where the client sent none.') }).prefault({}).describe('W3C trace context.'),
  ready: z.strictObject({
    upstream: flag.prefault(false).describe('Whether /readyz fails while the upstream refuses connections.'),
    key_store: z.enum(['never', 'once', 'always']).default('once').describe('Whether /readyz fails for a store of keys or denials. `once`: until it was reached for the first time. `always`: also after it has been away for longer than known keys go on working. `never`: it only says so.'),
  }).prefault({}).describe('What readiness means besides our own.'),
  reload: z.strictObject({ watch: flag.prefault(true).describe('Reload when the file, or a file that it refers to, changes. SIGHUP always does.') }).prefault({}).describe('Taking a new config without a restart.'),
  require_patched_node: flag.prefault(false).describe('Refuse to start on a Node below the security floor.'),
}).meta({ title: 'Postern configuration' })

/** A parsed config: plain, readonly, every unit resolved. */
export type Config = z.output<typeof configSchema>
export type RouteConfig = z.output<typeof route>
export type QuotaConfig = z.output<typeof quota>
export type FailureBudgetConfig = z.output<typeof failureBudget>
export type UpstreamConfig = z.output<typeof upstream>
export type AuthenticatorConfig = z.output<typeof authenticator>
