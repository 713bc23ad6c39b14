import { describe, expect, it } from 'vitest'
import { pathText } from './mistake.ts'
import { mistakesOf } from './mistakes-of.ts'
import { configSchema } from './schema.ts'

const written = new Map([['upstreams.a.url', '${UPSTREAM_URL}']])

/** `path: message` of everything that is wrong with a tree in the long form. */
function mistakesIn(part: Record<string, unknown>): string[] {
  const tree = { version: 1, ...part }
  const { error } = configSchema.safeParse(tree)
  return mistakesOf(error?.issues ?? [], { schema: configSchema, tree, writtenAs: (path) => written.get(pathText(path)) }).map(({ path, message }) => `${pathText(path)}: ${message}`)
}

describe('mistakesOf', () => {
  it.each([
    [{ version: 2 }, 'version: 2 – expected 1'],
    [{ version: undefined }, 'version: missing – expected 1'],
    [{ lissten: 'x' }, 'lissten: unknown key. Did you mean "listen"?'],
    [{ client_ip: { colour: 'x' } }, 'client_ip.colour: unknown key. One of: trusted_proxies, header, direct'],
    [{ listen: 'x' }, 'listen: "x" – expected an address such as "127.0.0.1:8080" or "unix:/run/postern.sock"'],
    [{ listen: 8080 }, 'listen: 8080 – expected an address: "127.0.0.1:8080" for this machine alone, ":8080" for every network'],
    [{ ops: '9090' }, 'ops: "9090" – expected off or an address: "127.0.0.1:9090" for this machine alone, ":9090" for every network'],
    [{ listen: { adress: 'x' } }, 'listen.adress: unknown key. Did you mean "address"?'],
    [{ log: null }, 'log: has no value – expected a map of keys; remove the key to get its default'],
    [{ log: { level: 'DEBUG' } }, 'log.level: "DEBUG" – expected debug, info, warn, error or silent. Did you mean "debug"?'],
    [{ public: { a: 1 } }, 'public: a map – expected text or a list'],
    [{ public: [5] }, 'public[0]: 5 – expected text'],
    [{ require_https: 'yes' }, 'require_https: "yes" – expected true or false'],
    [{ drain: { delay: '5 seconds' } }, 'drain.delay: "5 seconds" – expected a duration such as "30s", "5m" or "1h"'],
    [{ max_body: '1MByte' }, 'max_body: "1MByte" – expected a size such as "16KiB" or "1MiB"'],
    [{ rate_limit: [{ name: 'a', limit: 'often' }] }, 'rate_limit[0].limit: "often" – expected N/second, N/minute, N/hour or N/day, or a whole number of 1 or more'],
    [{ rate_limit: [{ limit: '1/minute' }] }, 'rate_limit[0].name: missing – expected text'],
    [{ rate_limit: [{ name: '', limit: 1 }] }, 'rate_limit[0].name: "" – expected some text'],
    [{ routes: [{ auth: { anyy: ['a'] } }] }, 'routes[0].auth.anyy: unknown key. Did you mean "any"?'],
    [{ routes: [{ auth: [] }] }, 'routes[0].auth: a list – expected at least 1 entry'],
    [{ routes: [{ auth: { any: [{ use: 'a', scope: 'b' }] } }] }, 'routes[0].auth.any[0].scope: unknown key. Did you mean "scopes"?'],
    [{ routes: [{ rate_limit: 'tiers' }] }, 'routes[0].rate_limit: "tiers" – expected tier or none. Did you mean "tier"?'],
    [{ routes: [{ rate_limit: [{ name: 'a', limit: 'x' }] }] }, 'routes[0].rate_limit[0].limit: "x" – expected N/second, N/minute, N/hour or N/day, or a whole number of 1 or more'],
    [{ identity: { X_User: 'sub' } }, 'identity.X_User: expected a header name of letters, digits and dashes'],
    [{ errors: { codes: { 401: { status: 200 } } } }, 'errors.codes.401.status: 200 – expected at least 400'],
    [{ authenticators: { a: { type: 'jwtt' } } }, 'authenticators.a.type: unknown kind "jwtt". Did you mean "jwt"? One of: '],
    [{ authenticators: { a: { issuer: 'x' } } }, 'authenticators.a.type: missing – expected '],
    [{ authenticators: { a: { type: 'jwt', isuer: 'x' } } }, 'authenticators.a.isuer: unknown key. Did you mean "issuer"?'],
    [{ authenticators: { a: { type: 'jwt', in: [{ headr: 'x' }] } } }, 'authenticators.a.in[0].headr: unknown key. Did you mean "header"?'],
    [{ authenticators: { a: { type: 'jwt', clock_tolerance: '2m' } } }, 'authenticators.a.clock_tolerance: "2m" – expected at most 60s'],
    [{ authenticators: { a: { type: 'jwt', map: { tier: 'tier' } } } }, 'authenticators.a.map.tier: "tier" – expected a JSON pointer such as "/app_metadata/roles"'],
  ])('of %j says %s', (part, mistake) => {
    const found = mistakesIn(part)
    expect(found).toHaveLength(1)
    expect(found[0]?.startsWith(mistake) && (mistake.endsWith(' ') || found[0] === mistake), found[0]).toBe(true)
  })

  it('names all mistakes, not the first', () => {
    expect(mistakesIn({ version: 2, lissten: 'x', log: { level: 'x' }, max_body: 'x' })).toHaveLength(4)
  })

  it('shows neither what a reference was filled with nor what a secret key holds', () => {
    const secret = 'hunter2-hunter2'
    const found = mistakesIn({
      upstreams: { a: { url: secret } },
      authenticators: { k: { type: 'api_key', keys: [{ value: { nested: secret } }, { sha256: secret }], keys_csv: [secret] } },
      routes: [{ request_headers: { set: { 'X-Key': [secret] } } }],
    })
    expect(found.join('\n')).not.toContain(secret)
    expect(found[0]).toBe('upstreams.a.url: the value of "${UPSTREAM_URL}" – expected an upstream such as "http://127.0.0.1:3000" or "unix:/run/api.sock"')
    expect(found[2]).toBe('authenticators.k.keys[1].sha256: this value (not shown) – expected 64 lower-case hex digits')
  })
})
