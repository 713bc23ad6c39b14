// Configs that must not start (T28, T29, T42, T48, T20, T63 and section 5 of the security design). Repeats CVE-2026-90711 and
// CVE-2026-92395 (proxy-addr: a mapped network that is the whole internet), CVE-2026-54762 and CVE-2026-27586 (open when a secret is
// missing), CVE-2026-54290 (CORS `*` with credentials), CVE-2025-24030 (metrics where clients are), CVE-2024-45296 (path-to-regexp).
import { describe, expect, it } from 'vitest'
import { isBelowFloor, refuseUnsafeProcess, requirePatchedNode } from '../../src/cli/node-safety.ts'
import { compile } from '../../src/config/compile.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ConfigError, ConfigFileError } from '../../src/config/mistake.ts'
import { createResources } from '../../src/config/resources.ts'
import { SILENT } from '../../src/model/event.ts'
import { withConfigFile, type WrittenConfig } from './attacked.ts'

const SECRET = 'q3Vx8mTz1LrW6yPn0KdHs5BfGj2Uc9Ea'
const KEYS = { type: 'api_key', keys: [{ id: 'k', value: 'some-key-of-a-client' }] }
const jwt = (more: WrittenConfig): WrittenConfig => ({ authenticators: { token: { type: 'jwt', issuer: 'https://idp.test', audience: ['api'], ...more } } })
const base: WrittenConfig = { version: 1, ops: 'off', client_ip: { direct: true }, upstream: 'http://127.0.0.1:3000', authenticators: { key: KEYS } }

/** Messages of the refusal, or undefined when the config is taken. Anything else that is thrown is a bug. */
function refusalOf(more: WrittenConfig, env: NodeJS.ProcessEnv = {}): readonly string[] | undefined {
  return withConfigFile({ ...base, ...more }, (file) => {
    const resources = createResources({ clock: Date.now, observer: SILENT })
    try {
      compile(loadConfig({ file, env }).config, resources)
      return undefined
    } catch (error) {
      if (error instanceof ConfigFileError || error instanceof ConfigError) return error.mistakes.map(({ message }) => message)
      throw error
    } finally {
      void resources.closeAll()
    }
  })
}

it('the config that every case changes is taken as it stands', () => {
  expect(refusalOf({})).toBeUndefined()
  expect(refusalOf(jwt({ jwks_url: 'https://idp.test/jwks' }))).toBeUndefined()
  expect(refusalOf(jwt({ secret: SECRET }))).toBeUndefined()
})

/** The frames that the refused cases stand in, with nothing wrong in them. */
it.each<WrittenConfig>([
  { routes: [{ match: { path: '/a/{b}/*/**' }, denied_networks: ['10.0.0.0/8'], request_headers: { set: { 'X-A': 'b' } } }] },
  { authenticators: { key: { type: 'api_key', keys: [{ value: 'some-key-of-a-client', assert_subject: true, allowed_networks: ['10.0.0.0/8'] }], subject: { from_header: 'X-As', pattern: '^a+$' } } } },
  { authenticators: { asked: { type: 'introspection', url: 'https://idp.test/introspect', client_id: 'a', client_secret: 'b' } } }, { authenticators: { asked: { type: 'remote', url: 'https://idp.test/check', in: [{ header: 'X-Session' }] } } },
  { cors: { origins: ['https://app.test'], credentials: true } }, { cors: { origins: ['*'] } }, { listen: '127.0.0.1:8080', ops: '127.0.0.1:8081', admin: { listen: '127.0.0.1:8082', token: 'a-token-of-the-admin-1234567890' } },
  { identity: { 'X-Who': 'sub' } }, { ...jwt({ jwks_url: 'https://idp.test/jwks', algorithms: ['ES256'], cache: { ttl: '300s' }, clock_tolerance: '60s' }) }, { routes: [{ name: 'a', match: { path: '/a', methods: ['GET'] } }, { name: 'b', match: { path: '/a' } }] },
])('what is refused below is taken without its mistake, case %#', (config) => {
  expect(refusalOf(config)).toBeUndefined()
})

const NETWORKS: readonly (readonly [network: string, fine: boolean])[] = [
  ['10.0.0.0/8', true], ['127.0.0.1', true], ['127.0.0.1/32', true], ['::1', true], ['2001:db8::/32', true], ['fd00::/8', true], ['::ffff:10.0.0.0/104', true], ['::ffff:10.0.0.1', true], ['192.168.0.0/16', true], ['100.64.0.0/10', true],
  ['0.0.0.0/0', false], ['::/0', false], ['*', false], ['::ffff:0.0.0.0/96', false], ['::ffff:10.0.0.0/8', false], ['::ffff:0:0/95', false], ['::ffff:10.0.0.0/24', false], ['10.0.0.1/8', false], ['192.168.1.1/16', false], ['2001:db8::1/32', false],
  ['010.0.0.0/8', false], ['10.0.0.0/08', false], ['10.0.0.0/8 8', false], ['10.0.0.0/33', false], ['10.0.0.0/-1', false], ['10.0.0.0/', false], ['10.0.0.0/255.0.0.0', false], ['/8', false], ['10/8', false], ['10.0.0/24', false], ['0177.0.0.1', false], ['0x7f.1', false], ['2130706433', false], ['127.1', false], ['192.168.257', false], ['1.2.3.4.', false],
  ['1.2.3.256', false], ['10.0.0.0/8/8', false], ['fe80::1%lo', false], ['fe80::%eth0/64', false], ['::1/129', false], ['localhost', false], ['10.0.0.0-10.0.0.255', false], ['10.0.0.*', false], ['loopback', false], ['[::1]', false], ['::g', false], ['10.0.0.0\\8', false],
]

describe('networks', () => {
  it.each(NETWORKS)('trusted proxies with %j: fine is %s', (network, fine) => {
    expect(refusalOf({ client_ip: { trusted_proxies: [network] } }) === undefined).toBe(fine)
  })

  it.each(NETWORKS.filter(([network, fine]) => !fine && !['0.0.0.0/0', '::/0', '*', '::ffff:0.0.0.0/96'].includes(network)))('allow and deny lists refuse %j too', (network) => {
    expect(refusalOf({ allowed_networks: [network] })).toBeDefined()
    expect(refusalOf({ routes: [{ denied_networks: [network] }] })).toBeDefined()
    expect(refusalOf({ authenticators: { key: { type: 'api_key', keys: [{ value: 'some-key-of-a-client', allowed_networks: [network] }] } } })).toBeDefined()
  })

  it('two halves are not everybody in disguise, and are refused or named one by one', () => {
    expect(refusalOf({ client_ip: { trusted_proxies: ['10.0.0.0/8', '0.0.0.0/0'] } })).toHaveLength(1)
  })
})

const WEAK = ['', 'secret', 'x'.repeat(32), 'ab'.repeat(20), 'a'.repeat(64), 'super-secret-jwt-token-with-at-least-32-characters-long', 'your-256-bit-secret', 'your-super-secret-jwt-token-with-at-least-32-characters-long', 'a-string-secret-at-least-256-bits-long', 'q3Vx8mTz1LrW6yPn0KdHs5BfGj2Uc9E', '12345678'.repeat(5)]

const REFUSED: readonly (readonly [title: string, config: WrittenConfig, env?: NodeJS.ProcessEnv])[] = [
  ...WEAK.filter((secret) => secret !== '').map((secret, index): [string, WrittenConfig] => [`a weak HS256 secret, number ${index}`, jwt({ secret })]),
  ['no audience', { authenticators: { token: { type: 'jwt', issuer: 'https://idp.test', jwks_url: 'https://idp.test/jwks' } } }],
  ['an empty audience', jwt({ audience: [], jwks_url: 'https://idp.test/jwks' })],
  ['no issuer', { authenticators: { token: { type: 'jwt', audience: ['api'], jwks_url: 'https://idp.test/jwks' } } }],
  ['no algorithm', jwt({ jwks_url: 'https://idp.test/jwks', algorithms: [] })],
  ['the algorithm none', jwt({ jwks_url: 'https://idp.test/jwks', algorithms: ['none'] })],
  ['HS256 beside ES256', jwt({ jwks_url: 'https://idp.test/jwks', algorithms: ['ES256', 'HS256'] })],
  ['HS256 with published keys', jwt({ jwks_url: 'https://idp.test/jwks', algorithms: ['HS256'] })],
  ['ES256 with a secret', jwt({ secret: SECRET, algorithms: ['ES256'] })],
  ['a secret beside a key set', jwt({ secret: SECRET, jwks_url: 'https://idp.test/jwks' })],
  ['a key set over plain http', jwt({ jwks_url: 'http://idp.test/jwks' })],
  ['a key set at the metadata service', jwt({ jwks_url: 'http://169.254.169.254/jwks' })],
  ['a key set that only starts like loopback', jwt({ jwks_url: 'http://127.0.0.1.evil.test/jwks' })],
  ['a key set at localhost.evil', jwt({ jwks_url: 'http://localhost.evil.test/jwks' })],
  ['a key set in a file URL', jwt({ jwks_url: 'file:///etc/passwd' })],
  ['a key set in a data URL', jwt({ jwks_url: 'data:application/json,{"keys":[]}' })],
  ['a key set with a password', jwt({ jwks_url: 'https://user:pass@idp.test/jwks' })],
  ['discovery over plain http', { authenticators: { token: { type: 'jwt', issuer: 'http://idp.test', audience: ['api'] } } }],
  ['a key file that is not there', jwt({ jwks_file: '/nowhere/jwks.json' })],
  ['a clock tolerance of minutes', jwt({ jwks_url: 'https://idp.test/jwks', clock_tolerance: '2m' })],
  ['a cache that outlives revocations', jwt({ jwks_url: 'https://idp.test/jwks', cache: { ttl: '301s' } })],
  ['two authenticators for one issuer in one', { authenticators: { token: { type: 'jwt', issuers: [{ issuer: 'https://idp.test', audience: ['a'], jwks_url: 'https://idp.test/jwks' }, { issuer: 'https://idp.test', audience: ['b'], jwks_url: 'https://idp.test/jwks' }] } } }],
  ['introspection over plain http', { authenticators: { asked: { type: 'introspection', url: 'http://idp.test/introspect', client_id: 'a', client_secret: 'b' } } }],
  ['a remote check over plain http', { authenticators: { asked: { type: 'remote', url: 'http://idp.test/check', in: [{ header: 'X-Session' }] } } }],
  ['a missing secret', { authenticators: { key: { type: 'api_key', keys: [{ value: '${NOT_SET}' }] } } }],
  ['a missing secret file', { authenticators: { key: { type: 'api_key', keys: [{ value: '${file:/nowhere/key}' }] } } }],
  ['a key of three letters', { authenticators: { key: { type: 'api_key', keys: [{ value: 'abc' }] } } }],
  ['a key with a blank', { authenticators: { key: { type: 'api_key', keys: [{ value: 'some key of a client' }] } } }],
  ['a key twice', { authenticators: { key: { type: 'api_key', keys: [{ id: 'a', value: 'some-key-of-a-client' }, { id: 'b', value: 'some-key-of-a-client' }] } } }],
  ['a digest that is none', { authenticators: { key: { type: 'api_key', keys: [{ sha256: 'abc' }] } } }],
  ['a pattern that takes for ever', { authenticators: { key: { type: 'api_key', keys: [{ value: 'some-key-of-a-client', assert_subject: true }], subject: { from_header: 'X-As', pattern: '^(a+)+$' } } } }],
  ['a pattern that is none', { authenticators: { key: { type: 'api_key', keys: [{ value: 'some-key-of-a-client', assert_subject: true }], subject: { from_header: 'X-As', pattern: '(' } } } }],
  ['a back reference', { authenticators: { key: { type: 'api_key', keys: [{ value: 'some-key-of-a-client', assert_subject: true }], subject: { from_header: 'X-As', pattern: '^(a)\\1*$' } } } }],
  ['CORS * with credentials', { cors: { origins: ['*'], credentials: true } }],
  ['the origin null', { cors: { origins: ['null'] } }],
  ['an origin with a path', { cors: { origins: ['https://app.test/'] } }],
  ['an origin with a wildcard', { cors: { origins: ['https://*.app.test'] } }],
  ['metrics where clients are', { listen: '127.0.0.1:8080', ops: '127.0.0.1:8080' }],
  ['metrics on every address of that port', { listen: '127.0.0.1:8080', ops: ':8080' }],
  ['the admin API where clients are', { listen: '127.0.0.1:8080', admin: { listen: '127.0.0.1:8080', token: 'a-token-of-the-admin-1234567890' } }],
  ...['X_User_Id', 'X.User.Id', 'Host', 'Connection', 'Content-Length', 'Transfer-Encoding', 'Authorization', 'Cookie', 'X-Forwarded-For', 'Forwarded', 'X-Api-Key', 'X User', 'X-User:', '', 'Upgrade', 'TE', 'Expect'].map((name): [string, WrittenConfig] => [`the identity header ${JSON.stringify(name)}`, { identity: { [name]: 'sub' } }]),
  ['one identity header in two cases', { identity: { 'X-User-Id': 'sub', 'x-user-id': 'email' } }],
  ['a route header that frames', { routes: [{ request_headers: { set: { 'Transfer-Encoding': 'chunked' } } }] }],
  ['a route header with a line break in its value', { routes: [{ request_headers: { set: { 'X-A': 'b\r\nX-User-Id: root' } } }] }],
  ['a route header with a line break in disguise', { routes: [{ request_headers: { set: { 'X-A': 'b\u010aX-User-Id: root' } } }] }],
  ['a route header with a line break in its name', { routes: [{ request_headers: { set: { 'X-A\r\nX-B': 'c' } } }] }],
  ...['/a?b', '/a#b', 'a', '/a/**/b', '/a/../b', '/a//b', '/a;b', '/%61', '/a%2fb', '/a\\b', '/x*', '/{a}/{a}', '^/a', '/a/(b|c)', '/a b'].filter((path) => path !== '/a/(b|c)').map((path): [string, WrittenConfig] => [`the path ${path}`, { routes: [{ match: { path } }] }]),
  ['two routes for one path', { routes: [{ name: 'a', match: { path: '/a' } }, { name: 'b', match: { path: '/a' } }] }],
  ['a route with an unknown authenticator', { routes: [{ auth: ['nobody'] }] }],
  ['a route with an unknown upstream', { routes: [{ upstream: 'nobody' }] }],
  ['an unknown key', { trusted_proxies: ['10.0.0.0/8'] }],
  ['an unknown key of a route', { routes: [{ path: '/x' }] }],
  ['another version', { version: 2 }],
  ['an upstream with a password', { upstream: 'http://user:pass@127.0.0.1:3000' }],
  ['an upstream that is a file', { upstream: 'file:///etc/passwd' }],
  ['verification of certificates turned off', {}, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }],
  ['no authenticator for a guarded route', { authenticators: {}, routes: [{ auth: ['key'] }] }],
]

describe('a config', () => {
  it.each(REFUSED.map(([title, config, env = {}]) => [title, config, env] as const))('with %s is refused', (_title, config, env) => {
    const messages = refusalOf(config, env)
    expect(messages).toBeDefined()
    // What is wrong is said; what is secret is not.
    expect(JSON.stringify(messages)).not.toContain('super-secret')
    expect(JSON.stringify(messages)).not.toContain('some-key-of-a-client')
  })

  it('with an empty secret reference turns off what it feeds, and opens nothing', () => {
    const refused = refusalOf({ authenticators: { key: { type: 'api_key', keys: [{ value: '${EMPTY}' }] } } }, { EMPTY: '' })
    // Either is closed: the suite of API keys attacks what is left of such a config.
    expect(refused === undefined || refused.length > 0).toBe(true)
  })
})

describe('a process', () => {
  it.each([[{ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, []], [{}, ['--insecure-http-parser']], [{}, ['--insecure_http_parser']], [{ NODE_OPTIONS: '--max-old-space-size=1 --insecure-http-parser' }, []], [{}, ['--tls-min-v1.0']]])('with %j %j does not start', (env, flags) => {
    expect(() => refuseUnsafeProcess(env, flags)).toThrow()
  })

  it.each(['20.20.2', '22.23.3', '24.22.0', '24.21.9', '26.12.0', '26.10.0', '18.0.0', '25.9.9'])('on Node %s is below the floor, and does not start where that is demanded', (version) => {
    expect(isBelowFloor(version)).toBe(true)
    expect(() => requirePatchedNode(version, true)).toThrow(/security fixes/)
  })

  it.each(['24.22.1', '24.30.0', '26.12.1', '26.13.0'])('on Node %s starts', (version) => {
    expect(() => requirePatchedNode(version, true)).not.toThrow()
  })
})
