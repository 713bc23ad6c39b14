import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { applyOverrides, type Overridden } from './overrides.ts'
import { createSecrets, readFromDisk } from './secrets.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-overrides-'))
writeFileSync(join(directory, 'url'), 'http://127.0.0.1:9\n', { mode: 0o600 })
afterAll(() => rmSync(directory, { recursive: true }))

const apply = (tree: unknown, env: NodeJS.ProcessEnv): Overridden => applyOverrides({ tree, env, secrets: createSecrets({ env, readFile: readFromDisk, directory }) })

describe('applyOverrides', () => {
  it.each([
    [{}, 'POSTERN_UPSTREAM', 'http://a', { upstream: 'http://a' }],
    [{ listen: 'x' }, 'POSTERN_LISTEN', '127.0.0.1:1', { listen: '127.0.0.1:1' }],
    [{}, 'POSTERN_CLIENT_IP_TRUSTED_PROXIES', '10.0.0.0/8', { client_ip: { trusted_proxies: '10.0.0.0/8' } }],
    [{ rate_limit: [{ name: 'a', limit: '1/minute' }] }, 'POSTERN_RATE_LIMIT_0_LIMIT', '9/minute', { rate_limit: [{ name: 'a', limit: '9/minute' }] }],
    [{ auth: [{ jwt: { issuer: 'a' } }] }, 'POSTERN_AUTH_0_JWT_ISSUER', 'b', { auth: [{ jwt: { issuer: 'b' } }] }],
    [{ auth: [{ api_keys: {} }] }, 'POSTERN_AUTH_0_API_KEYS_KEYS_CSV', 'b', { auth: [{ api_keys: { keys_csv: 'b' } }] }],
    [{ authenticators: { idp: { type: 'jwt' } } }, 'POSTERN_AUTHENTICATORS_IDP_JWKS_FILE', 'k', { authenticators: { idp: { type: 'jwt', jwks_file: 'k' } } }],
    [{ upstreams: { 'main-api': { url: 'a' } } }, 'POSTERN_UPSTREAMS_MAIN_API_URL', 'b', { upstreams: { 'main-api': { url: 'b' } } }],
    [{ upstream: { url: 'a' } }, 'POSTERN_UPSTREAM_URL', 'b', { upstream: { url: 'b' } }],
    [{}, 'POSTERN_UPSTREAM_FILE', 'url', { upstream: 'http://127.0.0.1:9' }],
    [{}, 'POSTERN_LOG_LEVEL', 'debug', { log: { level: 'debug' } }],
  ])('in %j, %s=%s gives %j', (tree, name, value, expected) => {
    expect(apply(tree, { [name]: value })).toMatchObject({ tree: expected, mistakes: [], warnings: [] })
  })

  it('says which variable gave which value, and leaves the tree it was given alone', () => {
    const tree = { log: { level: 'info' } }
    expect([...apply(tree, { POSTERN_LOG_LEVEL: 'debug' }).origins]).toEqual([['log.level', 'POSTERN_LOG_LEVEL']])
    expect(tree).toEqual({ log: { level: 'info' } })
  })

  it.each([
    [{}, { POSTERN_UPSTREAM: 'a', POSTERN_UPSTREAM_FILE: 'url' }, 'POSTERN_UPSTREAM_FILE', 'POSTERN_UPSTREAM is set as well; set one of the two'],
    [{}, { POSTERN_UPSTREAM_FILE: 'nowhere' }, 'POSTERN_UPSTREAM_FILE', 'file nowhere does not exist'],
    [{ rate_limit: [] }, { POSTERN_RATE_LIMIT_1_LIMIT: '1/s' }, 'POSTERN_RATE_LIMIT_1_LIMIT', 'cannot be set: the list has 0 entries, so the next is 0'],
    [{ listen: '127.0.0.1:1' }, { POSTERN_LISTEN_ADDRESS: 'x' }, 'POSTERN_LISTEN_ADDRESS', 'cannot be set: the file gives a single value where this variable needs a map'],
  ])('in %j refuses %j', (tree, env, variable, message) => {
    expect(apply(tree, env).mistakes).toMatchObject([{ variable, message }])
  })

  it('warns of a variable that means nothing, with the nearest that does', () => {
    expect(apply({}, { POSTERN_UPSTRAEM: 'x' }).warnings).toMatchObject([{ variable: 'POSTERN_UPSTRAEM', message: 'no config key is called so; ignored. Did you mean "POSTERN_UPSTREAM"?' }])
    expect(apply({}, { POSTERN_CONFIG: 'x' }).warnings).toEqual([])
  })

  it('ignores what Kubernetes sets for a service called postern, and says so once', () => {
    const env = { POSTERN_PORT: 'tcp://10.0.0.1:8080', POSTERN_SERVICE_HOST: '10.0.0.1', POSTERN_SERVICE_PORT: '8080', POSTERN_PORT_8080_TCP_ADDR: '10.0.0.1', POSTERN_LISTEN: 'tcp://10.0.0.1:8080' }
    const { tree, warnings } = apply({}, env)
    expect(tree).toEqual({})
    expect(warnings).toHaveLength(1)
    expect(warnings[0]?.message).toContain('and 4 more look like a Kubernetes service link')
  })
})
