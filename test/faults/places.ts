import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthority } from '../support/certificates.ts'
import { type EchoUpstream, startEchoUpstream } from '../support/echo-upstream.ts'
import { type AnsweringServer, startAnswering } from '../support/answering.ts'
import { type FaultyGate, startFaultyGate } from '../support/faulty-gate.ts'
import { type GoTrue, startGoTrue } from '../support/gotrue.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { postgresInstalled, startPostgres } from '../support/postgres.ts'
import { redisInstalled, startRedis } from '../support/redis.ts'
import { runPostern, type RunningPostern, startPostern } from '../support/running-postern.ts'

/** What can be broken, behind a gate of its own. */
export const NETWORK_PLACES = ['upstream', 'issuer', 'introspection', 'supabase', 'limits', 'keys_redis', 'keys_postgres'] as const
export type NetworkPlace = (typeof NETWORK_PLACES)[number]

/** Longest time that a request may wait for each, milliseconds, as the config below says or the code fixes it. */
export const DEADLINES: Readonly<Record<NetworkPlace | 'keys_sqlite', number>> = { upstream: 1_000, issuer: 1_000, introspection: 1_000, supabase: 1_000, limits: 200, keys_redis: 1_000, keys_postgres: 1_000, keys_sqlite: 1_000 }

/** How late an answer is that is only slow: within the deadline, handshakes included. */
const LAGS: Readonly<Record<NetworkPlace, number>> = { upstream: 100, issuer: 100, introspection: 100, supabase: 100, limits: 30, keys_redis: 40, keys_postgres: 40 }

export const ADMIN_TOKEN = 'admin-token-of-these-faults'
export const STATIC_KEY = 'static-key-of-these-faults-0123456789'

/** How every config of these faults begins: what is not about what breaks. */
export const CONFIG_HEAD = `version: 1
listen: \${LISTEN}
ops: \${OPS_LISTEN}
admin: { listen: "\${ADMIN_LISTEN}", token: ${ADMIN_TOKEN} }
client_ip: { trusted_proxies: [127.0.0.1] }
forward_auth: {}
drain: { delay: 0s, timeout: 2s }
audit: off
`

/** One Postern with everything behind gates that speak TLS. */
export interface Places {
  readonly postern: RunningPostern
  readonly gates: ReadonlyMap<NetworkPlace, FaultyGate>
  readonly issuer: Issuer
  readonly gotrue: GoTrue
  /** What allowed requests come to, but for those of the upstream that is broken. */
  readonly behind: EchoUpstream
  /** The upstream that is broken. */
  readonly broken: EchoUpstream
  /** From now on one authenticator has a key set that was never fetched: it is made anew. */
  readonly coldIssuer: (round: number) => Promise<void>
  readonly close: () => Promise<void>
}

const configOf = (urls: Readonly<Record<NetworkPlace | 'behind', string>>, { issuer, gotrue, ca }: { issuer: Issuer; gotrue: GoTrue; ca: string }, round: number): string => `${CONFIG_HEAD}reload: { watch: false }
upstreams:
  behind: { url: "${urls.behind}" }
  broken: { url: "${urls.upstream}", ca: ${ca}, connect_timeout: 1s, timeout: 1s, idle_timeout: 1s }
store: { url: "${urls.limits}", secret: not-really-secret, deadline: 200ms, tls: { ca: ${ca} } }
authenticators:
  static: { type: api_key, in: [{ header: X-Static }], keys: [{ id: k1, value: ${STATIC_KEY}, subject: one }] }
  idp: { type: jwt, issuer: "${issuer.url}", jwks_url: "${urls.issuer}/jwks", audience: api, jwks: { timeout: 1s, cooldown: 200ms }, cache: { ttl: 0 } }
  cold: { type: jwt, issuer: "${issuer.url}", jwks_url: "${urls.issuer}/jwks-${round}", audience: api, jwks: { timeout: 1s, cooldown: 200ms }, cache: { ttl: 0 } }
  opaque: { type: introspection, url: "${urls.introspection}/introspect", client_id: postern, client_secret: a-secret-of-these-faults, timeout: 1s, cache: 300s }
  project: { type: supabase, url: "${urls.supabase}", issuer: "${gotrue.issuer}", api_key: ${gotrue.publishableKey}, verify: remote, timeout: 1s, cache: 300s }
${urls.keys_redis === '' ? '' : `  keys_redis: { type: api_key, in: [{ header: X-Key }], store: "${urls.keys_redis}", pepper: a-pepper-of-these-faults }\n`}${urls.keys_postgres === '' ? '' : `  keys_postgres: { type: api_key, in: [{ header: X-Key }], store: "${urls.keys_postgres}", pepper: a-pepper-of-these-faults }\n`}routes:
  - { name: bystander, match: { path: /bystander/** }, auth: static }
  - { name: upstream, match: { path: /upstream/** }, auth: static, upstream: broken }
  - { name: issuer, match: { path: /issuer/** }, auth: idp }
  - { name: cold, match: { path: /cold/** }, auth: cold }
  - { name: introspection, match: { path: /introspection/** }, auth: opaque }
  - { name: supabase, match: { path: /supabase/** }, auth: project }
  - { name: local, match: { path: /limits/local/** }, auth: static, rate_limit: [{ name: local, key: credential, limit: 1000000/hour }] }
  - { name: deny, match: { path: /limits/deny/** }, auth: static, rate_limit: [{ name: deny, key: credential, limit: 1000000/hour, on_store_error: deny }] }
  - { name: allow, match: { path: /limits/allow/** }, auth: static, rate_limit: [{ name: allow, key: credential, limit: 1000000/hour, on_store_error: allow }] }
${urls.keys_redis === '' ? '' : '  - { name: keys_redis, match: { path: /keys_redis/** }, auth: keys_redis }\n'}${urls.keys_postgres === '' ? '' : '  - { name: keys_postgres, match: { path: /keys_postgres/** }, auth: keys_postgres }\n'}`

/** RFC 7662: tokens that begin with `good-` are active. */
const startIntrospection = (): Promise<AnsweringServer> =>
  startAnswering((response, { body }) => {
    const active = (new URLSearchParams(body).get('token') ?? '').startsWith('good-')
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(active ? { active, sub: 'alice', exp: Math.floor(Date.now() / 1_000) + 3_600 } : { active }))
  })

interface Servers { readonly targets: ReadonlyMap<NetworkPlace, number>; readonly postgresUrl: string | undefined; readonly close: () => Promise<unknown> }

/** Stores that are not installed here are left out, loudly. */
async function startServers(): Promise<Servers & { readonly issuer: Issuer; readonly gotrue: GoTrue; readonly broken: EchoUpstream }> {
  const [withRedis, withPostgres] = [redisInstalled(), postgresInstalled()]
  const [issuer, gotrue, broken, opaque, redis, keys, postgres] = await Promise.all([startIssuer(), startGoTrue(), startEchoUpstream(), startIntrospection(), withRedis ? startRedis() : undefined, withRedis ? startRedis() : undefined, withPostgres ? startPostgres() : undefined])
  const portOf = (url: string): number => Number(new URL(url).port)
  const targets = new Map<NetworkPlace, number>([['upstream', broken.port], ['issuer', portOf(issuer.url)], ['introspection', portOf(opaque.url)], ['supabase', portOf(gotrue.url)]])
  if (redis && keys) targets.set('limits', redis.port).set('keys_redis', keys.port)
  if (postgres) targets.set('keys_postgres', postgres.port)
  return { targets, postgresUrl: postgres?.url, issuer, gotrue, broken, close: () => Promise.all([issuer.close(), gotrue.close(), broken.close(), opaque.close(), redis?.stop(), keys?.stop(), postgres?.stop()]) }
}

const SCHEMES: Readonly<Record<NetworkPlace, (port: number) => string>> = {
  upstream: (port) => `https://127.0.0.1:${port}`,
  issuer: (port) => `https://127.0.0.1:${port}`,
  introspection: (port) => `https://127.0.0.1:${port}`,
  supabase: (port) => `https://127.0.0.1:${port}`,
  limits: (port) => `rediss://127.0.0.1:${port}`,
  keys_redis: (port) => `rediss://127.0.0.1:${port}`,
  keys_postgres: (port) => `postgres://owner@127.0.0.1:${port}/postgres?sslmode=verify-full`,
}

/** Starts all of it on loopback. */
export async function startPlaces(): Promise<Places> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-faults-'))
  const [authority, stranger] = [createAuthority(), createAuthority()]
  const names = ['DNS:localhost', 'IP:127.0.0.1'] as const
  const tls = { right: authority.issue('gate', ...names), wrong: stranger.issue('gate', ...names) }
  const [servers, behind] = await Promise.all([startServers(), startEchoUpstream()])
  const gates = new Map<NetworkPlace, FaultyGate>()
  for (const [name, target] of servers.targets) gates.set(name, await startFaultyGate({ target, tls, lagMs: LAGS[name], startTls: name === 'keys_postgres' }))
  const urls = { behind: `http://127.0.0.1:${behind.port}`, ...Object.fromEntries(NETWORK_PLACES.map((name) => [name, gates.has(name) ? SCHEMES[name](gates.get(name)?.port ?? 0) : ''])) } as Record<NetworkPlace | 'behind', string>
  const file = join(folder, 'postern.yaml')
  const write = (round: number): void => writeFileSync(file, configOf(urls, { issuer: servers.issuer, gotrue: servers.gotrue, ca: authority.caFile }, round))
  write(0)
  if (servers.postgresUrl !== undefined) {
    const { code, stderr } = await runPostern(['keys', 'migrate', '--config', file, '--authenticator', 'keys_postgres', '--store', servers.postgresUrl], { LISTEN: '127.0.0.1:0', OPS_LISTEN: '127.0.0.1:0', ADMIN_LISTEN: '127.0.0.1:0' })
    if (code !== 0) throw new Error(`keys migrate: ${stderr}`)
  }
  const postern = await startPostern({ config: file, env: { NODE_EXTRA_CA_CERTS: authority.caFile } })
  const taken = (): number => postern.output().split('"reload_taken"').length
  return {
    postern, gates, behind, issuer: servers.issuer, gotrue: servers.gotrue, broken: servers.broken,
    coldIssuer: async (round) => {
      const before = taken()
      write(round)
      postern.child.kill('SIGHUP')
      for (let tries = 0; taken() === before; tries += 1) {
        if (tries === 200) throw new Error(`the reload was not taken:\n${postern.output().slice(-2_000)}`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
    close: async () => {
      await postern.stop()
      await Promise.all([...gates.values()].map((gate) => gate.close()))
      await Promise.all([servers.close(), behind.close(), authority.close(), stranger.close()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
