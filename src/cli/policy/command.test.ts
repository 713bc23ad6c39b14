import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { alternativesOf } from '../../config/schema-walk.ts'
import type { OptionValues } from '../command.ts'
import { UsageError } from '../exit-codes.ts'
import { run } from './command.ts'
import { tableSchema } from './table-schema.ts'

const EXAMPLES = join(import.meta.dirname, '..', '..', '..', 'config', 'tests')

let folder: string
const started = process.cwd()
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-policy-'))
  process.chdir(folder)
  // Nobody is asked: whoever opens a socket breaks the test that does.
  vi.spyOn(Socket.prototype, 'connect').mockImplementation(() => {
    throw new Error('a policy test opened a connection')
  })
})
afterEach(() => void vi.unstubAllEnvs())
afterAll(() => {
  vi.restoreAllMocks()
  process.chdir(started)
  rmSync(folder, { recursive: true })
})

interface Said { readonly code: number; readonly out: string; readonly words: string }

async function test(files: readonly string[], options: OptionValues = {}): Promise<Said> {
  let [out, words] = ['', '']
  const say = (text: string): void => void (words += `${text}\n`)
  const quiet = options['quiet'] === true
  const terminal = { out: (data: string) => void (out += data), say: quiet ? () => undefined : say, complain: say, print: say, color: false, readInput: async () => '', interactive: false, paint: (_color: string, text: string) => text }
  const code = await run({ positionals: files, options, terminal, env: {}, cwd: folder })
  return { code, out, words }
}

const CONFIG = `
version: 1
upstream: http://127.0.0.1:1
client_ip: { trusted_proxies: [10.0.0.0/8] }
authenticators:
  idp: { type: jwt, issuer: "https://login.example.com/", audience: orders }
  partner: { type: api_key, keys: [{ id: acme, value: "\${ACME_KEY}", scopes: [read] }], store: keys.db, pepper: pepper-of-the-policy-test }
  anyone: { type: anonymous }
identity: { X-User-Id: "{{principal.id}}" }
routes:
  - { name: orders, match: { path: /orders/** }, auth: { any: [idp, partner] }, request_headers: { set: { X-Internal: "\${INTERNAL}" } } }
  - { name: writers, match: { path: /orders/**, methods: [DELETE] }, auth: idp, scopes: [write] }
  - { name: both, match: { path: /both }, auth: { all: [idp, partner] } }
  - { name: never, match: { path: /never }, deny: forbidden }
  - { name: seen, match: { path: /seen }, auth: idp, mode: observe }
  - { name: few, match: { path: /few }, auth: none, rate_limit: [{ name: few, key: client_ip, limit: 2/minute }] }
`
const SECRET = 'what-only-the-upstream-knows'
const ENV = `env: { ACME_KEY: acme-key-of-the-policy-test, INTERNAL: ${SECRET} }`

/** Writes a table beside the config, and runs it. */
function table(cases: string, { options = {}, config = CONFIG, head = ENV }: { readonly options?: OptionValues; readonly config?: string; readonly head?: string } = {}): Promise<Said> {
  writeFileSync(join(folder, 'guard.yaml'), config)
  writeFileSync(join(folder, 'cases.yaml'), `config: guard.yaml\n${head}\ncases:\n${cases}\n`)
  return test([join(folder, 'cases.yaml')], options)
}

const one = (rest: string): string => `  - { name: it, ${rest} }`

describe('the tables that are shipped', () => {
  it.each(readdirSync(EXAMPLES))('%s holds, and reaches every route of its config', async (name) => {
    expect(await test([join(EXAMPLES, name)], { coverage: '100' })).toMatchObject({ code: 0, words: expect.not.stringContaining('✗') })
  })
})

describe('a case that holds', () => {
  const rows: readonly (readonly [title: string, rest: string])[] = [
    ['a token of the only issuer', 'request: GET /orders/1, token: { claims: { sub: alice } }, expect: { outcome: allow, principal: alice, route: orders }'],
    ['a token of an issuer by its name', 'request: GET /orders/1, token: { issuer: "https://login.example.com/" }, expect: allow'],
    ['a token of another signer', 'request: GET /orders/1, token: { signed_by: stranger, algorithm: RS256 }, expect: { reason: jwt_unknown_kid }'],
    ['an algorithm that is not listed', 'request: GET /orders/1, token: { algorithm: PS256 }, expect: { reason: jwt_alg_not_allowed }'],
    ['a token that is over', 'request: GET /orders/1, token: { expires: -1h }, expect: { code: credential_expired, status: 401 }'],
    ['a token without a claim', 'request: GET /orders/1, token: { claims: { aud: null } }, expect: { reason: jwt_audience_mismatch }'],
    ['a text that is no token', 'request: GET /orders/1, token: gibberish, expect: { code: credential_malformed }'],
    ['a key of the config by its id', 'request: GET /orders/1, key: { id: acme }, expect: { outcome: allow, principal: { subject: acme, authenticator: partner, scopes: [read] } }'],
    ['a key as text', 'request: GET /orders/1, key: acme-key-of-the-policy-test, expect: { outcome: allow, headers: { X-API-Key: null } }'],
    ['an issued key', 'request: GET /orders/1, key: { issued: { owner: bob, allowed_networks: [192.0.2.0/24] } }, expect: { code: forbidden }'],
    ['an issued key that is over', 'request: GET /orders/1, key: { issued: { owner: bob, expires: -1h } }, expect: { code: credential_expired }'],
    ['two credentials at once', 'request: GET /both, token: { claims: { sub: alice } }, key: { id: acme }, expect: { outcome: allow, principal: alice }'],
    ['one of the two alone', 'request: GET /both, token: {}, expect: { code: credential_missing }'],
    ['no credential', 'request: GET /orders/1, expect: { code: credential_missing, stage: authenticate, status: 401 }'],
    ['a scope that is missing', 'request: DELETE /orders/1, token: { claims: { scope: read } }, expect: { code: scope_insufficient, route: writers }'],
    ['a route that refuses', 'request: GET /never, expect: { code: forbidden, route: never, status: 403 }'],
    ['a path of no route', 'request: GET /else, expect: { code: route_not_found, route: none }'],
    ['an ambiguous path', 'request: GET /orders/..%2f, expect: { code: request_ambiguous, status: 400, stage: describe }'],
    ['a claim to be somebody', 'request: { path: /few, headers: { X-User-Id: root, X_User_Id: root, Accept: text/plain } }, expect: { outcome: allow, headers: { X-User-Id: null, X_User_Id: null, Accept: text/plain } }'],
    ['a client behind a trusted proxy', 'request: { path: /few, ip: 10.0.0.1, headers: { X-Forwarded-For: 192.0.2.9 } }, expect: { outcome: allow, headers: { X-Forwarded-For: 192.0.2.9 } }'],
    ['a secret header of the route', `request: GET /orders/1, token: {}, expect: { outcome: allow, path: /orders/1, headers: { X-Internal: ${SECRET} } }`],
    ['a refusal that is let pass', 'request: GET /seen, expect: { observed: true, code: credential_missing, status: 401, stage: authenticate }'],
    ['a quota that just suffices', 'request: GET /few, times: 2, expect: allow'],
    ['a quota that is spent', 'request: GET /few, times: 3, expect: { code: quota_exceeded, status: 429 }'],
  ]
  let said: Said
  beforeAll(async () => {
    said = await table(rows.map(([title, rest]) => `  - { name: ${title}, ${rest} }`).join('\n'))
  })

  it.each(rows)('is %s', (title) => {
    expect(said).toMatchObject({ code: 0, words: expect.stringContaining(`✓ ${title}\n`) })
  })

  it('begins with unspent quotas, whatever came before', async () => {
    expect((await table(`${one('request: GET /few, times: 2, expect: allow')}\n  - { name: again, request: GET /few, times: 2, expect: allow }`)).code).toBe(0)
  })

  it('is judged at the time of the table, or its own', async () => {
    const rest = 'request: GET /orders/1, token: { claims: { nbf: 1893456000 } }'
    const head = `${ENV}\nnow: 2026-01-01T00:00:00Z`
    expect((await table(`${one(`${rest}, expect: { reason: jwt_not_yet_valid }`)}\n  - { name: later, now: "2030-01-01T00:00:01Z", ${rest}, expect: allow }`, { head })).code).toBe(0)
  })

  it('is told what a proxy is told, where another proxy asks', async () => {
    const config = CONFIG.replace('upstream: http://127.0.0.1:1', 'mode: forward_auth')
    expect((await table(one('request: { path: /orders/1, headers: { X-User-Id: root } }, token: { claims: { sub: alice } }, expect: { outcome: allow, headers: { X-User-Id: alice } }'), { config })).code).toBe(0)
    expect((await table(one('request: { path: /few, headers: { X-User-Id: root } }, expect: { outcome: allow, headers: { X-User-Id: null } }'), { config })).code).toBe(0)
  })

  it('sees the variables and files of its table and no others', async () => {
    vi.stubEnv('INTERNAL', 'of the shell')
    const config = CONFIG.replace('${INTERNAL}', '${file:secret.txt}')
    const missing = await table(one('request: GET /few, expect: allow'), { config })
    expect([missing.code, missing.words]).toEqual([78, expect.stringMatching(/guard\.yaml:\d+:\d+ .*secret\.txt does not exist/)])
    const head = `${ENV}\nfiles: { secret.txt: ${SECRET} }`
    expect((await table(one(`request: GET /orders/1, token: {}, expect: { outcome: allow, headers: { X-Internal: ${SECRET} } }`), { config, head })).code).toBe(0)
    expect((await table(one('request: GET /few, expect: allow'), { head: 'env: { ACME_KEY: acme-key-of-the-policy-test }' })).words).toContain('variable INTERNAL is not set')
  })
})

describe('a case that does not hold', () => {
  it('says what was expected, what came, where it stands, and why', async () => {
    const { code, words } = await table(one('request: GET /orders/1, token: { claims: { aud: billing } }, expect: { outcome: allow, principal: alice }'))
    expect(code).toBe(1)
    expect(words).toMatch(/✗ it {2}\S+cases\.yaml:4:13\n {6}outcome {4}expected allow, got deny\n {6}principal {2}expected alice, got nothing\n/)
    expect(words).toContain('| ✗ 401 credential_rejected  jwt_audience_mismatch')
    expect(words).toContain('0 passed, 1 failed')
  })

  it.each([
    ['a refusal that is let pass is not simply allowed', 'request: GET /seen, expect: allow', 'observed  expected false, got true'],
    ['a route that refuses is named', 'request: GET /never, expect: allow', 'never, which refuses'],
    ['another route', 'request: GET /few, expect: { outcome: allow, route: orders }', 'route  expected orders, got few'],
    ['a header that is there', 'request: { path: /few, headers: { Accept: text/plain } }, expect: { outcome: allow, headers: { Accept: null } }', 'header Accept  expected nothing, got text/plain'],
    ['a header of a request that is not sent on', 'request: GET /orders/1, expect: { outcome: allow, headers: { X-User-Id: alice } }', 'header X-User-Id  expected alice, got nothing: it is not sent on'],
    ['a key that cannot be issued', 'request: GET /orders/1, key: { issued: { owner: bob, scopes: ["a b\\tc"] } }, expect: allow', 'key  expected a key that can be issued'],
  ])('%s', async (_title, rest, said) => {
    const { code, words } = await table(one(rest))
    expect([code, words]).toEqual([1, expect.stringContaining(said)])
  })

  it('never shows a value that only the config knows', async () => {
    const { code, words, out } = await table(one('request: GET /orders/1, key: { id: acme }, expect: { outcome: allow, headers: { X-Internal: guessed } }'), { options: { json: true } })
    expect([code, out]).toEqual([1, expect.stringContaining('another value (not shown)')])
    for (const secret of [SECRET, 'acme-key-of-the-policy-test']) expect(words + out).not.toContain(secret)
  })
})

describe('coverage', () => {
  it('names the routes that no case reached, and fails below what is demanded', async () => {
    const cases = one('request: GET /few, expect: allow')
    const { code, words } = await table(cases)
    expect([code, words]).toEqual([0, expect.stringMatching(/! guard\.yaml: 1 of 6 routes reached \(16 %\)\n {4}not reached: orders\n/)])
    expect((await table(cases, { options: { coverage: '16' } })).code).toBe(0)
    expect(await table(cases, { options: { coverage: '17' } })).toMatchObject({ code: 1, words: expect.stringContaining('✗ guard.yaml: 1 of 6 routes reached (16 %, 17 % demanded)') })
  })

  it('is demanded in per cent', async () => {
    await expect(table(one('request: GET /few, expect: allow'), { options: { coverage: 'all' } })).rejects.toThrow(UsageError)
  })

  it('is that of all tables of one config together', async () => {
    await table(one('request: GET /few, expect: allow'))
    writeFileSync(join(folder, 'more.yaml'), `config: guard.yaml\n${ENV}\ncases:\n${one('request: GET /never, expect: deny')}\n`)
    expect((await test([join(folder, 'cases.yaml'), join(folder, 'more.yaml')])).words).toContain('guard.yaml: 2 of 6 routes reached')
  })
})

describe('a table that is wrong', () => {
  it('says every mistake at once, each with its place and the nearest right spelling', async () => {
    const { code, words } = await table([
      '  - { name: a, request: GET orders, expect: allow }',
      '  - { name: b, request: GET /x, tokn: {}, expect: allow }',
      '  - { name: c, request: GET /x, token: { expires: soon }, expect: { code: credential_mising } }',
      '  - { name: d, request: { path: /x, ip: localhost }, expect: maybe }',
    ].join('\n'))
    expect(code).toBe(78)
    for (const said of [
      /cases\.yaml:4:25 +cases\[0\]\.request: "GET orders" – expected a method and a path such as "GET \/orders\/7"/,
      /cases\.yaml:5:33 +cases\[1\]\.tokn: unknown key\. Did you mean "token"\?/,
      /cases\.yaml:6:51 +cases\[2\]\.token\.expires: "soon" – expected a duration such as "5m"/,
      /cases\[2\]\.expect\.code: "credential_mising" – .*Did you mean "credential_missing"\?/,
      /cases\[3\]\.request\.ip: "localhost" – expected an IP address/,
      /cases\[3\]\.expect: "maybe" – expected allow, deny or answer/,
      /\n\d+ errors\. Nothing was tested\./,
    ]) expect(words).toMatch(said)
  })

  it.each([
    ['a route that is not there', 'request: GET /few, expect: { outcome: allow, route: ordres }', 'expect.route: there is no route "ordres". Did you mean "orders"?'],
    ['an issuer that is not there', 'request: GET /few, token: { issuer: idpp }, expect: allow', 'token.issuer: there is no issuer "idpp". Did you mean "idp"?'],
    ['an authenticator that takes nothing', 'request: GET /few, token: { issuer: anyone }, expect: allow', 'token.issuer: nothing can be made for anyone: it takes no credential'],
    ['a key that is not there', 'request: GET /few, key: { id: acne }, expect: allow', 'key.id: there is no key "acne". Did you mean "acme"?'],
    ['a key said in two ways', 'request: GET /few, key: { id: acme, value: x }, expect: allow', 'key: expected exactly one of value, id and issued'],
    ['sessions where there are none', 'request: GET /few, session: {}, expect: allow', 'session: this config has no authenticator of sessions that a credential can be made for'],
    ['an algorithm without its secret', 'request: GET /few, token: { algorithm: HS256 }, expect: allow', 'token.algorithm: no token can be signed so here. One of: ES256, RS256, EdDSA'],
    ['no decision', 'request: GET /few, expect: { route: few }', 'expect: says no decision'],
    ['a status of the upstream', 'request: GET /few, expect: { outcome: allow, status: 200 }', 'expect: what is allowed has no status'],
    ['headers of what is denied', 'request: GET /few, expect: { outcome: deny, headers: { X: y } }', 'expect: what is denied is sent to no upstream'],
    ['one name for two cases', 'request: GET /few, expect: allow }\n  - { name: it, request: GET /few, expect: allow', 'cases[1].name: "it" stands twice in this table'],
  ])('refuses %s', async (_title, rest, said) => {
    const { code, words } = await table(one(rest))
    expect([code, words]).toEqual([78, expect.stringContaining(said)])
  })

  it('is refused with 78 when it, or its config, cannot be read', async () => {
    expect(await test([join(folder, 'absent.yaml')])).toMatchObject({ code: 78, words: expect.stringContaining('this table does not exist') })
    writeFileSync(join(folder, 'lost.yaml'), 'config: nowhere.yaml\ncases:\n  - { name: it, request: GET /x, expect: allow }\n')
    expect(await test([join(folder, 'lost.yaml')])).toMatchObject({ code: 78, words: expect.stringContaining('nowhere.yaml  this config does not exist') })
  })

  it('is said as data with --json', async () => {
    const { code, out } = await table(one('request: GET /few, expect: maybe'), { options: { json: true } })
    expect([code, JSON.parse(out)]).toMatchObject([78, { ok: false, errors: [{ line: 4, path: 'cases.0.expect' }] }])
  })
})

describe('a config whose stores are elsewhere', () => {
  it('is tested without asking for them', async () => {
    const config = CONFIG.replace('store: keys.db', 'store: "rediss://keys.example.com:6380"').replace('client_ip:', 'store: "redis://counters.example.com"\ndeny_list: { store: "postgres://postern@denials.example.com/postern" }\nclient_ip:')
    const cases = `${one('request: GET /orders/1, key: { issued: { owner: bob } }, expect: { outcome: allow, principal: bob }')}\n  - { name: spent, request: GET /few, times: 3, expect: { code: quota_exceeded } }`
    expect(await table(cases, { config })).toMatchObject({ code: 0 })
  })

  it('has the keys that it imports before the first case', async () => {
    writeFileSync(join(folder, 'api-keys.json'), JSON.stringify([{ key: 'plain-old-key-1', userId: 'bob', createdAt: '2024-01-01T00:00:00Z' }]))
    const config = CONFIG.replace('store: keys.db', 'store: keys.db, import: api-keys.json')
    expect(await table(one('request: GET /orders/1, key: plain-old-key-1, expect: { outcome: allow, principal: bob }'), { config })).toMatchObject({ code: 0 })
  })
})

describe('an authority that cannot be replaced', () => {
  const config = (authenticator: string): string => `version: 1\nupstream: http://127.0.0.1:1\nclient_ip: { direct: true }\nauthenticators:\n  it: ${authenticator}\n`

  it.each([
    ['a service of the operator', '{ type: remote, url: "https://who.example.com/check", in: [{ header: X-Ticket }] }', 'it: it asks another service about every credential, and nobody is asked in a policy test'],
    ['sessions in a database', '{ type: session, provider: better_auth, endpoint: "https://app.example.com/api/auth/get-session" }', 'it: its application is asked about every session'],
  ])('is said to be one: %s', async (_title, authenticator, said) => {
    const { code, words } = await table(one('request: GET /x, token: {}, expect: allow'), { config: config(authenticator), head: '' })
    expect([code, words]).toEqual([78, expect.stringContaining(said)])
  })

  it('answers 503 to a credential that is written out, as when it is down', async () => {
    const rest = 'request: { path: /x, headers: { X-Ticket: t } }, expect: { code: dependency_unavailable, status: 503 }'
    expect((await table(one(rest), { config: config('{ type: remote, url: "https://who.example.com/check", in: [{ header: X-Ticket }] }'), head: '' })).code).toBe(0)
  })

  it.each([
    ['a Supabase project that is asked about each token', '{ type: supabase, url: "https://p.supabase.co", api_key: anon, verify: remote }', 'jwt_expired'],
    ['an issuer whose introspection is found by discovery', '{ type: introspection, issuer: "https://login.example.com", client_id: a, client_secret: b }', 'token_inactive'],
  ])('is none: %s', async (_title, authenticator, expired) => {
    const cases = `${one('request: GET /x, token: { claims: { sub: alice } }, expect: { outcome: allow, principal: alice }')}\n  - { name: over, request: GET /x, token: { expires: -1h }, expect: { reason: ${expired} } }`
    expect(await table(cases, { config: config(authenticator), head: '' })).toMatchObject({ code: 0 })
  })
})

describe('with --json', () => {
  it('gives every case with its differences and its explanation, and the coverage', async () => {
    const { code, out } = await table(`${one('request: GET /few, expect: allow')}\n  - { name: wrong, request: GET /orders/1, expect: allow }`, { options: { json: true } })
    expect([code, JSON.parse(out)]).toMatchObject([1, {
      ok: false, passed: 1, failed: 1,
      tables: [{ config: 'guard.yaml', cases: [{ name: 'it', ok: true }, { name: 'wrong', ok: false, line: 5, differences: [{ what: 'outcome', expected: 'allow', got: 'deny' }], explanation: { code: 'credential_missing' } }] }],
      coverage: [{ config: 'guard.yaml', percent: 33, missed: ['writers', 'both', 'never', 'seen'] }],
    }])
  })
})

describe('docs/policy-tests.md', () => {
  const page = readFileSync(join(EXAMPLES, '..', '..', 'docs', 'policy-tests.md'), 'utf8')

  it('shows a table and a config that hold as they stand', async () => {
    for (const [block = '', name = ''] of page.matchAll(/```yaml\n# (\S+)\n[\s\S]*?```/g)) writeFileSync(join(folder, name), block.split('\n').slice(1, -1).join('\n'))
    expect(await test([join(folder, 'policy.yaml')], { coverage: '100' })).toMatchObject({ code: 0, words: expect.stringContaining('5 passed, 0 failed') })
  })

  it('names every key that a table may have', () => {
    const keys = new Set<string>()
    const collect = (schema: z.core.$ZodType): void => {
      for (const each of alternativesOf(schema)) {
        if (each instanceof z.ZodArray) collect(each.element)
        if (each instanceof z.ZodObject) for (const [key, inner] of Object.entries(each.shape)) {
          keys.add(key)
          // Shapes hold schemas; their type says less.
          collect(inner as z.core.$ZodType)
        }
      }
    }
    collect(tableSchema)
    expect(keys.size).toBeGreaterThan(30)
    expect([...keys].filter((key) => !new RegExp(`\`[^\`\n]*\\b${key}\\b[^\`\n]*\``).test(page))).toEqual([])
  })
})
