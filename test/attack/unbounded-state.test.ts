// Clients that are always somebody else (T55): every map that a request can write to has a bound. Repeats what grew in lru-caches without a maximum,
// in limiters and in caches of refusals. A map that grows takes hundreds of bytes for each
// request, and is told from one that does not by some thousands of them.
import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, describe, expect, it } from 'vitest'
import { compile } from '../../src/config/compile.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createResources } from '../../src/config/resources.ts'
import { SILENT } from '../../src/model/event.ts'
import { request } from '../support/described.ts'
import { startIssuer } from '../support/issuer.ts'
import { withConfigFile } from './attacked.ts'

/** Until bounds are reached and what runs out after a minute has begun to run out: the clock is moved on with each request. */
const WARM_MS = 90_000
/** What a map that grows would take at least. */
const GROWTH_BYTES = 150

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const heapBytes = (): number => {
  collect()
  return process.memoryUsage().heapUsed
}

const issuer = await startIssuer()
const loaded = withConfigFile(
  {
    version: 1, ops: 'off', upstream: 'http://127.0.0.1:1', client_ip: { direct: true },
    authenticators: {
      token: { type: 'jwt', issuer: issuer.url, audience: ['api'], jwks_url: issuer.jwksUrl },
      key: { type: 'api_key', in: [{ header: 'X-API-Key' }], keys: [{ id: 'k', value: 'the-only-key-there-is', subject: 's' }] },
      web: { type: 'session', secrets: ['session-secret-0123456789abcdef0123456789'] },
    },
    failed_authentication: { limit: '20/minute' },
    routes: [
      { name: 'limited', match: { path: '/limited/**' }, auth: 'none', rate_limit: [{ name: 'one', key: 'client_ip', limit: '5/second' }] },
      { name: 'all', match: { path: '/**' }, auth: ['token', 'key', 'web'] },
    ],
  },
  (file) => loadConfig({ file, env: {} }),
)
let now: number = Date.now()
const resources = createResources({ clock: () => now, observer: SILENT })
resources.begin()
const { gateway: { point }, providers } = compile(loaded.config, resources)
await Promise.all(providers.map(({ ready }) => ready()))
afterAll(async () => void (await Promise.all([resources.closeAll(), issuer.close()])))

const segment = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** An address of its own, in a network of its own. */
const addressOf = (n: number): string => `2001:db8:${(n >> 16).toString(16)}:${(n & 0xffff).toString(16)}:0:0:0:1`

async function judge(n: number, path: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const ip = addressOf(n)
  const asked = { ...request({ path, headers }), client: { ip, peer: ip, trustedHops: 0, partition: `${ip.split(':').slice(0, 4).join(':')}::/64` } }
  const match = point.match(asked)
  return 'kind' in match ? (await point.decide(asked, match)).outcome : match.outcome
}

interface Crowd { readonly path: string; readonly rounds: number; readonly headersOf: (n: number) => Readonly<Record<string, string>> }

/** Each is somebody else; as many as take a second or two to judge. */
const CROWDS: readonly (readonly [string, Crowd])[] = [
  ['addresses that are counted', { path: '/limited/x', rounds: 30_000, headersOf: () => ({}) }],
  ['tokens with keys that nobody knows', { path: '/x', rounds: 6_000, headersOf: (n) => ({ authorization: `Bearer ${segment({ alg: 'ES256', kid: `kid-${n}` })}.${segment({ sub: `user-${n}` })}.${randomBytes(64).toString('base64url')}` }) }],
  ['API keys', { path: '/x', rounds: 12_000, headersOf: () => ({ 'x-api-key': randomBytes(24).toString('base64url') }) }],
  ['session cookies', { path: '/x', rounds: 2_500, headersOf: () => ({ cookie: `authjs.session-token=${segment({ alg: 'dir', enc: 'A256CBC-HS512' })}..${randomBytes(16).toString('base64url')}.${randomBytes(40).toString('base64url')}.${randomBytes(32).toString('base64url')}` }) }],
]

describe('memory does not grow with', () => {
  it.each(CROWDS)('%s', async (_what, { path, rounds, headersOf }) => {
    let n = 0
    const crowd = async (): Promise<string> => {
      let last = ''
      for (const end = n + rounds; n < end; n += 1) {
        now += WARM_MS / rounds
        last = await judge(n, path, headersOf(n))
      }
      return last
    }
    await crowd()
    const before = heapBytes()
    expect(await crowd()).toBe(path === '/x' ? 'deny' : 'allow')
    expect((heapBytes() - before) / rounds).toBeLessThan(GROWTH_BYTES)
  }, 60_000)
})
