import { hostname } from 'node:os'
import { describe, expect, it } from 'vitest'
import { semanticMistakes, type Findings } from './check-config.ts'
import { pathText } from './mistake.ts'
import { configSchema } from './schema.ts'

const KEYS = { type: 'api_key', keys: [{ id: 'a', value: '0123456789abcdef' }] }

/** Findings about a long-form config that is fine but for `part`. */
function findings(part: Record<string, unknown>, env: NodeJS.ProcessEnv = {}): Findings {
  const base = { version: 1, upstreams: { default: { url: 'http://127.0.0.1:3000' } }, authenticators: { keys: KEYS }, client_ip: { direct: true } }
  return semanticMistakes(configSchema.parse({ ...base, ...part }), { env })
}

const texts = (found: Findings['mistakes']): string[] => found.map(({ path, message }) => `${pathText(path)}: ${message}`)

/** The golden files of test/golden/config show every message; here is what must not be said, and what depends on more than one key. */
describe('semanticMistakes', () => {
  it('finds nothing in a config that is fine', () => {
    expect(findings({})).toEqual({ mistakes: [], warnings: [] })
  })

  it('refuses an environment that turns off the verification of certificates', () => {
    expect(texts(findings({}, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }).mistakes)[0]).toContain('NODE_TLS_REJECT_UNAUTHORIZED=0')
    expect(findings({}, { NODE_TLS_REJECT_UNAUTHORIZED: '1' }).mistakes).toEqual([])
  })

  it.each([
    ['127.0.0.1:8080', '127.0.0.1:8080', 1],
    ['0.0.0.0:8080', '127.0.0.1:8080', 1],
    ['127.0.0.1:8080', '[::]:8080', 1],
    ['unix:/run/a', 'unix:/run/a', 1],
    ['127.0.0.1:0', '127.0.0.1:0', 0],
    ['127.0.0.1:8080', '127.0.0.2:8080', 0],
    ['unix:/run/a', '127.0.0.1:0', 0],
    ['127.0.0.1:8080', 'off', 0],
  ])('listen %s and ops %s: %d mistakes', (listen, ops, count) => {
    expect(findings({ listen, ops }).mistakes).toHaveLength(count)
  })

  it.each([
    ['127.0.0.1:8080', 'http://127.0.0.1:8080', 1],
    ['127.0.0.1:8080', 'http://localhost:8080/api', 1],
    ['127.0.0.1:8080', 'http://0.0.0.0:8080', 1],
    ['0.0.0.0:8080', 'http://localhost:8080', 1],
    ['0.0.0.0:8080', 'http://127.0.0.2:8080', 1],
    ['[::]:8080', 'http://[::1]:8080', 1],
    ['0.0.0.0:8080', `http://${hostname()}:8080`, 1],
    ['0.0.0.0:80', 'http://localhost', 1],
    ['unix:/run/a.sock', 'unix:/run/a.sock', 1],
    ['0.0.0.0:8080', 'http://api:8080', 0],
    ['0.0.0.0:8080', 'http://192.0.2.7:8080', 0],
    ['0.0.0.0:8080', 'http://localhost:3000', 0],
    ['127.0.0.1:8080', 'http://127.0.0.2:8080', 0],
    ['192.0.2.7:8080', 'http://localhost:8080', 0],
    ['127.0.0.1:0', 'http://127.0.0.1:80', 0],
    ['127.0.0.1:9090', 'unix:/run/a.sock', 0],
  ])('listen %s and upstream %s: %d mistakes', (listen, url, count) => {
    const found = texts(findings({ listen, upstreams: { default: { url } }, ops: '127.0.0.1:9' }).mistakes)
    expect(found).toHaveLength(count)
    expect(found.every((text) => text.includes('Postern itself listens on ("listen")'))).toBe(true)
  })

  it('refuses an upstream that is a listener clients must not reach, and asks nothing of an upstream that is not used', () => {
    expect(texts(findings({ ops: '127.0.0.1:9090', upstreams: { default: { url: 'http://localhost:9090' } } }).mistakes)[0]).toContain('"ops" is not for clients')
    expect(findings({ mode: 'forward_auth', client_ip: { trusted_proxies: ['10.0.0.1'] }, listen: '127.0.0.1:8080', upstreams: { default: { url: 'http://localhost:8080' } } }).mistakes).toEqual([])
  })

  it('warns of words that look like a method and are none, and of no method that is in use', () => {
    const routes = [{ match: { path: '/**', methods: ['GTE', 'GET', 'PROPFIND'] } }]
    expect(texts(findings({ public: ['HAED /healthz', 'GET /readyz'], routes }).warnings)).toEqual([
      'routes[0].match.methods[0]: "GTE" is no method that clients usually send. Did you mean "GET"?',
      'public[0]: "HAED" is no method that clients usually send. Did you mean "HEAD"?',
    ])
  })

  it.each([
    ['https://YOUR-PROJECT.supabase.co', 1],
    ['https://<project>.supabase.co', 1],
    ['https://auth.example.com', 1],
    ['https://example.org', 1],
    ['https://notexample.com', 0],
    ['https://idp.example.test', 0],
  ])('issuer %s: %d warnings that it was never filled in', (issuer, count) => {
    const session = { type: 'jwt', issuer, audience: 'orders', secret: 'x'.repeat(32) }
    expect(texts(findings({ authenticators: { session } }).warnings).filter((text) => text.startsWith('authenticators.session.issuer: '))).toHaveLength(count)
  })

  it('wants the admin face, when it is on, on an address of its own', () => {
    expect(texts(findings({ admin: { listen: '127.0.0.1:9090', token: 'x'.repeat(32) } }).mistakes)).toEqual(['admin.listen: this is the address of "ops" already'])
    expect(findings({ admin: { listen: '127.0.0.1:9090', token: '' } }).mistakes).toEqual([])
  })

  it('warns of an empty list of trusted proxies unless somebody said that clients connect directly', () => {
    expect(texts(findings({ client_ip: {} }).warnings)[0]).toMatch(/^client_ip\.trusted_proxies: empty\. Behind a load balancer/)
    expect(findings({ client_ip: { trusted_proxies: ['10.0.0.0/8', 'unix'] } })).toEqual({ mistakes: [], warnings: [] })
  })

  it.each(['0.0.0.0/0', '::/0', '*', '::ffff:0.0.0.0/96'])('believes no proxy list that holds %s', (network) => {
    expect(findings({ client_ip: { trusted_proxies: [network] } }).mistakes).toHaveLength(1)
  })

  it('lets "*" stand for every network in lists of who may ask, alone', () => {
    expect(findings({ allowed_networks: ['*'] }).mistakes).toEqual([])
    expect(findings({ allowed_networks: ['*', '10.0.0.0/8'] }).mistakes).toHaveLength(1)
  })

  it('warns of a list of networks that keeps nobody out, and only when it was written', () => {
    expect(texts(findings({ allowed_networks: ['*'] }).warnings)[0]).toMatch(/^allowed_networks: "\*"/)
    expect(texts(findings({ allowed_networks: [] }).warnings)[0]).toMatch(/^allowed_networks: empty/)
    expect(findings({ allowed_networks: ['10.0.0.0/8'] }).warnings).toEqual([])
  })

  it('warns of a key header that pages of other origins could not send', () => {
    const cors = { origins: ['*'], headers: ['authorization', 'content-type'] }
    const authenticators = { keys: { ...KEYS, in: [{ header: 'X-API-Key' }] } }
    const warned = (part: Record<string, unknown>): string[] => texts(findings({ authenticators, cors, ...part }).warnings)
    expect(warned({})).toEqual([expect.stringMatching(/^cors\.headers: X-API-Key is not listed/)])
    expect(warned({ routes: [{ match: { path: '/a' }, auth: 'keys' }, { match: { path: '/b' }, auth: { all: ['keys'] } }] })).toHaveLength(1)
    expect(warned({ routes: [{ match: { path: '/a' }, auth: 'keys', cors: { ...cors, origins: ['https://a.example'] } }] })[0]).toMatch(/^routes\[0\]\.cors\.headers/)
    for (const fine of [{ cors: { ...cors, headers: ['x-api-key'] } }, { cors: { ...cors, headers: ['*'] } }, { cors: { ...cors, origins: [] } }, { cors: undefined }, { authenticators: { keys: { ...KEYS, in: [{ bearer: true }] } } }]) expect(warned(fine)).toEqual([])
  })

  it('warns of an authenticator that no route uses, and only then', () => {
    const authenticators = { keys: KEYS, spare: { type: 'anonymous' } }
    expect(texts(findings({ authenticators, routes: [{ auth: 'keys' }] }).warnings)).toEqual(['authenticators.spare: no route uses this authenticator'])
    expect(findings({ authenticators, routes: [{ auth: 'keys' }, { match: { path: '/b' } }] }).warnings).toEqual([])
    expect(findings({ authenticators }).warnings).toEqual([])
  })

  it.each([
    [{ routes: [{ deny: 'forbidden' }] }, []],
    [{ routes: [{ auth: 'none', respond: { json: {} } }] }, []],
    [{ routes: [{ auth: 'none' }] }, ['routes[0]: no upstream is configured; add "upstream: http://127.0.0.1:3000"']],
    [{}, ['authenticators: no authenticator is configured; add "auth:", or say "auth: none" on every route that is open to all', 'upstream: no upstream is configured; add "upstream: http://127.0.0.1:3000"']],
  ])('of a config with nothing but %j says %j', (part, expected) => {
    expect(texts(findings({ upstreams: undefined, authenticators: undefined, ...part }).mistakes)).toEqual(expected)
  })

  it('wants a trusted service and the header it names users in together', () => {
    const asserting = { ...KEYS, keys: [{ value: '0123456789abcdef', assert_subject: true }] }
    const subject = { from_header: 'X-User-Id' }
    expect(findings({ authenticators: { keys: { ...asserting, subject } } }).mistakes).toEqual([])
    expect(texts(findings({ authenticators: { keys: asserting } }).mistakes)[0]).toContain('keys.keys[0].assert_subject')
    expect(texts(findings({ authenticators: { keys: { ...KEYS, subject } } }).mistakes)[0]).toContain('authenticators.keys.subject')
  })

  it.each(['7up', '1', 'a b', 'none', ''])('has no authenticator called %j', (name) => {
    expect(configSchema.safeParse({ version: 1, authenticators: { [name]: KEYS } }).success && findings({ authenticators: { [name]: KEYS } }).mistakes.length === 0).toBe(false)
  })

  it('takes the same policy twice for one counter, but the same name with other numbers for a mistake', () => {
    const same = { name: 'a', limit: '100/minute' }
    expect(findings({ rate_limit: [same], routes: [{ rate_limit: [same] }] }).mistakes).toEqual([])
    expect(findings({ rate_limit: [same], routes: [{ rate_limit: [{ name: 'a', limit: 100, window: '60s' }] }] }).mistakes).toEqual([])
    expect(findings({ rate_limit: [same], routes: [{ rate_limit: [{ ...same, burst: 3 }] }] }).mistakes).toHaveLength(1)
    expect(findings({ tiers: { free: { limits: [same] }, pro: { limits: [{ name: 'a', limit: '1000/minute' }] } } }).mistakes).toEqual([])
  })

  it('refuses tiers named by digits, which would be put in another order than the file has', () => {
    expect(findings({ tiers: { '2': { limits: [] }, '1': { limits: [] } } }).mistakes).toMatchObject([{ message: expect.stringContaining('starts with a letter') }, { message: expect.stringContaining('starts with a letter') }])
  })

  it('lets two policies be reported that never apply together', () => {
    const report = (when: string) => ({ name: when, limit: '1/second', report: 'legacy', when })
    expect(findings({ rate_limit: [report('anonymous'), report('identified')] }).mistakes).toEqual([])
  })

  it.each(['client_ip', 'ip', 'principal', 'user', 'credential', 'api_key', 'route', 'keys.id', 'header:X-Tenant', 'body.email|lower|hmac'])('counts by %s', (key) => {
    expect(findings({ rate_limit: [{ name: 'a', limit: '1/second', key }] }).mistakes).toEqual([])
  })

  it.each(['/', '/a', '/a/', '/a/{id}', '/a/*/b', '/**', '/a/**', '/a%20b', '/files/report.json', '/a/~b'])('takes the pattern %s', (path) => {
    expect(findings({ routes: [{ match: { path } }] }).mistakes).toEqual([])
  })

  it.each(['', 'a', '*', '/a//b', '/./a', '/a/..', '/a%2fb', '/a%2e', '/%41', '/a%zz', '/a b', '/ä', '/a;b', '/a?b=c', '/a#b', '/a\\b', '/**/a', '/a**', '/{a}b', '/{}', '/{a}/{a}', '/a*'])('refuses the pattern %j', (path) => {
    expect(configSchema.safeParse({ version: 1, routes: [{ match: { path } }] }).success ? findings({ routes: [{ match: { path } }] }).mistakes : ['x']).toHaveLength(1)
  })

  it('lets an identity be called X-Forwarded-User, as other gateways do, but nothing that Postern writes', () => {
    expect(findings({ identity: { 'X-Forwarded-User': 'sub', 'X-Auth-Request-Email': 'email' } }).mistakes).toEqual([])
    for (const name of ['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'Via', 'X-Request-Id', 'Transfer-Encoding', 'Cookie', 'X-API-Key']) expect(findings({ identity: { [name]: 'sub' } }).mistakes, name).toHaveLength(1)
  })

  it('takes an empty store, such as an unset variable, for none', () => {
    expect(findings({ store: '' }).mistakes).toEqual([])
    expect(findings({ store: 'redis://r' }).mistakes).toEqual([])
  })
})
