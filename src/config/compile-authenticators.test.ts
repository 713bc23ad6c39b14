import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { request } from '../../test/support/described.ts'
import { startIssuer, type Issuer } from '../../test/support/issuer.ts'
import { createManualTime } from '../../test/support/manual-time.ts'
import { digestOf } from '../authenticators/static-keys.ts'
import { SILENT } from '../model/event.ts'
import type { Verification } from '../model/ports.ts'
import { compileAuthenticators, type CompiledAuthenticator } from './compile-authenticators.ts'
import { pathText, type Mistake } from './mistake.ts'
import { createResources, type Resources } from './resources.ts'
import { configSchema } from './schema.ts'

const SECRET = 'q3Vx8mTz1LrW6yPn0KdHs5BfGj2Uc9Ea'
const JWT = { type: 'jwt', issuer: 'https://idp.example.com/', audience: 'api' }
const time = createManualTime()

let issuer: Issuer
let resources: Resources
let directory: string
beforeAll(async () => {
  issuer = await startIssuer({ clock: time.clock })
})
afterAll(() => issuer.close())
beforeEach(() => {
  resources = createResources({ clock: time.clock, observer: SILENT })
  directory = mkdtempSync(join(tmpdir(), 'postern-'))
})
afterEach(async () => {
  await resources.closeAll()
  rmSync(directory, { recursive: true })
})

const told = (list: readonly Mistake[]): readonly string[] => list.map(({ path, message }) => `${pathText(path)}: ${message}`)

function compiled(authenticators: Record<string, unknown>, more: Record<string, unknown> = {}) {
  const mistakes: Mistake[] = []
  const config = configSchema.parse({ version: 1, authenticators, ...more })
  const result = compileAuthenticators(config, resources, mistakes)
  return { ...result, mistakes: told(mistakes), warnings: told(result.warnings) }
}

function the(name: string, from: ReadonlyMap<string, CompiledAuthenticator>): CompiledAuthenticator {
  const found = from.get(name)
  if (!found) throw new Error(`${name} is off`)
  return found
}

function answered({ authenticator }: CompiledAuthenticator, headers: Record<string, string>): Promise<Verification | string> {
  const extraction = authenticator.extract(request({ headers }))
  return Promise.resolve(extraction?.kind === 'credential' ? authenticator.verify(extraction, time.clock()) : (extraction?.kind ?? 'missing'))
}

describe('compiled authenticators', () => {
  it('keep the order of the config and what it says about using them', () => {
    const errors = { credential_rejected: { message: 'Unauthorized' } }
    const { authenticators, mistakes } = compiled({ b: { ...JWT, on_invalid: 'next', errors }, off: { type: 'api_key' }, a: { type: 'api_key', keys: [{ value: 'key-number-1' }], on_missing: 'reject', on_unavailable: 'deny' }, guests: { type: 'anonymous' } })
    expect(mistakes).toEqual([])
    expect([...authenticators].map(([name, { authenticator, ...use }]) => [name, authenticator.kind, use])).toEqual([
      ['b', 'jwt', { order: 0, onMissing: 'next', onInvalid: 'next', onUnavailable: 'error', errors }],
      ['a', 'api_key', { order: 2, onMissing: 'reject', onInvalid: 'reject', onUnavailable: 'deny' }],
      ['guests', 'anonymous', { order: 3, onMissing: 'next', onInvalid: 'reject', onUnavailable: 'error' }],
    ])
  })

  it.each([
    ['keep for all', { credentials: 'keep' }, {}, 'keep', 'keep', 'keep'],
    ['strip for all', { credentials: 'strip' }, {}, 'strip', 'strip', 'strip'],
    ['by kind', { credentials: { jwt: 'keep', api_key: 'strip', cookie: 'keep' } }, {}, 'keep', 'strip', 'keep'],
    ['cookies apart from tokens', { credentials: { jwt: 'strip', cookie: 'keep' } }, {}, 'strip', 'strip', 'keep'],
    ['the authenticator\'s own word', { credentials: 'strip' }, { credential: 'keep' }, 'keep', 'keep', 'keep'],
  ])('forward credentials: %s', (_title, forward, own, jwt, key, cookie) => {
    const { authenticators } = compiled({ jwt: { ...JWT, ...own }, key: { type: 'api_key', keys: [{ value: 'key-number-1' }], ...own }, cookie: { ...JWT, in: [{ cookie: 'token' }], ...own } }, { forward })
    expect(['jwt', 'key', 'cookie'].map((name) => the(name, authenticators).authenticator.forwardCredential)).toEqual([jwt, key, cookie])
  })

  it('ask nobody, and say what has to be tried before Postern is ready', async () => {
    const { authenticators, readiness } = compiled({ one: { ...JWT, issuer: issuer.url }, two: { ...JWT, issuer: issuer.url } })
    expect([issuer.requests.discovery, readiness.length]).toEqual([0, 1])
    await readiness[0]?.ready()
    expect(readiness[0]?.state()).toMatchObject({ keys: 1, ageMs: 0 })
    expect(await answered(the('two', authenticators), { authorization: `Bearer ${await issuer.mint()}` })).toMatchObject({ kind: 'authenticated', principal: { subject: 'alice', authenticatorId: 'two' } })
    expect([issuer.requests.discovery, issuer.requests.jwks]).toEqual([1, 1])
  })

  it('keep the keys of an issuer across a reload, and fetch anew when its settings change', async () => {
    const jwt = { ...JWT, issuer: issuer.url, jwks_url: issuer.jwksUrl }
    const before = issuer.requests.jwks
    await compiled({ jwt }).readiness[0]?.ready()
    await compiled({ jwt: { ...jwt, audience: 'other' } }).readiness[0]?.ready()
    expect(issuer.requests.jwks - before).toBe(1)
    await compiled({ jwt: { ...jwt, jwks: { max_age: '1m' } } }).readiness[0]?.ready()
    expect(issuer.requests.jwks - before).toBe(2)
  })

  it('take HS256 tokens with a secret', async () => {
    const { authenticators } = compiled({ jwt: { ...JWT, issuer: issuer.url, secret: ['', SECRET] } })
    expect(await answered(the('jwt', authenticators), { authorization: `Bearer ${await issuer.mint({}, { alg: 'HS256' })}` })).toMatchObject({ kind: 'authenticated' })
    expect(await answered(the('jwt', authenticators), { authorization: `Bearer ${await issuer.mint()}` })).toMatchObject({ kind: 'rejected', reason: 'jwt_alg_not_allowed' })
  })

  it('take keys from a file', async () => {
    const file = join(directory, 'jwks.json')
    writeFileSync(file, JSON.stringify({ keys: issuer.keys() }))
    const { authenticators, readiness } = compiled({ jwt: { ...JWT, issuer: issuer.url, jwks_file: file } })
    expect(await answered(the('jwt', authenticators), { authorization: `Bearer ${await issuer.mint()}` })).toMatchObject({ kind: 'authenticated' })
    expect(readiness[0]?.state()).toMatchObject({ keys: 1 })
  })

  it('know several issuers by settings of their own', async () => {
    const issuers = [{ issuer: 'https://other.example', audience: 'x' }, { issuer: issuer.url, claims: { azp: ['app'] } }]
    const { authenticators, mistakes } = compiled({ jwt: { type: 'jwt', issuers, bearer_scheme: 'optional' } })
    expect(mistakes).toEqual([])
    expect(await answered(the('jwt', authenticators), { authorization: await issuer.mint({ azp: 'app', aud: undefined }) })).toMatchObject({ kind: 'authenticated' })
    expect(await answered(the('jwt', authenticators), { authorization: await issuer.mint() })).toMatchObject({ reason: 'jwt_claim_missing' })
  })
})

describe('a jwt authenticator that is a mistake', () => {
  it.each<[string, Record<string, unknown>, string, RegExp]>([
    ['no issuer', { issuer: undefined }, 'jwt.issuer', /expected the issuer/],
    ['no audience', { audience: undefined }, 'jwt.audience', /expected the audience/],
    ['an empty audience', { audience: '' }, 'jwt.audience', /expected the audience/],
    ['a claim that is no substitute', { audience: undefined, claims: { role: 'x' } }, 'jwt.audience', /azp/],
    ['an empty substitute', { audience: undefined, claims: { azp: '' } }, 'jwt.audience', /azp/],
    ['HS256 for published keys', { algorithms: ['RS256', 'HS256'] }, 'jwt.algorithms', /"HS256" needs a secret/],
    ['RS256 for a secret', { secret: SECRET, algorithms: ['HS256', 'RS256'] }, 'jwt.algorithms', /"RS256" needs published keys/],
    ['a short secret', { secret: 'sixteen-bytes-xx' }, 'jwt.secret', /a secret of 16 bytes/],
    ['one short secret of two', { secret: [SECRET, 'sixteen-bytes-xx'] }, 'jwt.secret[1]', /a secret of 16 bytes/],
    ['a known secret', { secret: 'super-secret-jwt-token-with-at-least-32-characters-long' }, 'jwt.secret', /public manuals/],
    ['a secret and a key set', { secret: SECRET, jwks_url: 'https://idp.example.com/jwks' }, 'jwt.secret', /only one of/],
    ['two key sets', { jwks_file: '/x', jwks_url: 'https://idp.example.com/jwks' }, 'jwt.jwks_file', /only one of/],
    ['keys over plain http', { jwks_url: 'http://idp.example.com/jwks' }, 'jwt.jwks_url', /expected https/],
    ['discovery over plain http', { issuer: 'http://idp.example.com' }, 'jwt.issuer', /expected https/],
    ['discovery at something that is no URL', { issuer: 'accounts.google.com' }, 'jwt.issuer', /not a URL/],
    ['a key set that is not there', { jwks_file: '/nowhere/jwks.json' }, 'jwt.jwks_file', /not usable/],
    ['one issuer twice', { issuers: [{ issuer: JWT.issuer, audience: 'b' }] }, 'jwt.issuers[0].issuer', /stands twice/],
    ['keys of an issuer that nobody has', { issuer: undefined, issuers: [{ issuer: 'https://a.example', audience: 'b' }] }, 'jwt.audience', /each entry of "issuers"/],
    ['an issuer of the list without audience', { issuers: [{ issuer: 'https://a.example' }] }, 'jwt.issuers[0].audience', /expected the audience/],
    ['roles that users can edit', { map: { roles: '/user_metadata/roles' } }, 'jwt.map.roles', /edited by users/],
    ['a tier that users can edit', { map: { tier: ['/app_metadata/tier', '/user_metadata/tier'] } }, 'jwt.map.tier', /edited by users/],
    ['a carrier that is none', { in: [{ header: 'X User' }] }, 'jwt.in[0].header', /cannot be the name/],
    ['a carrier that means something else', { in: [{ bearer: true }, { header: 'Cookie' }] }, 'jwt.in[1].header', /cannot carry/],
  ])('%s', (_title, more, path, message) => {
    const { mistakes, authenticators } = compiled({ jwt: { ...JWT, ...more } })
    expect(mistakes).toHaveLength(1)
    expect(mistakes[0]).toMatch(new RegExp(`^authenticators\\.${path.replaceAll(/[.[\]]/g, String.raw`\$&`)}: `))
    expect(mistakes[0]).toMatch(message)
    expect(mistakes[0]).not.toMatch(/sixteen-bytes|super-secret/)
    expect(authenticators.size).toBe(0)
  })

  it.each([
    ['a cache for longer than 300 s', { cache: { ttl: '301s' } }],
    ['a tolerance of more than 60 s', { clock_tolerance: '61s' }],
    ['no algorithm', { algorithms: [] }],
    ['the algorithm none', { algorithms: ['none'] }],
  ])('%s does not even parse', (_title, more) => {
    expect(configSchema.safeParse({ version: 1, authenticators: { jwt: { ...JWT, ...more } } }).success).toBe(false)
  })

  it.each([
    ['an empty issuer', { issuer: '' }],
    ['an empty secret', { secret: '' }],
    ['only empty secrets', { secret: ['', ''] }],
  ])('%s is off, with a warning', (_title, more) => {
    const { mistakes, authenticators, warnings } = compiled({ jwt: { ...JWT, ...more } })
    expect([mistakes, authenticators.size, warnings]).toEqual([[], 0, ['authenticators.jwt: this authenticator is off: the variables that feed it are empty']])
  })
})

describe('an api_key authenticator', () => {
  const KEYS = { type: 'api_key', keys: [{ id: 'admin', value: 'admin-key-0001', roles: 'admin' }, { value: '' }, { sha256: digestOf('hashed-key-0001'), subject: 'svc', expires: '2999-01-01' }], keys_csv: 'client-key-1, mobile=client-key-2' }

  it.each([
    ['a key with an id', 'admin-key-0001', { subject: 'admin', credentialId: 'admin', roles: ['admin'] }],
    ['a digest', 'hashed-key-0001', { subject: 'svc', credentialId: `key-${digestOf('hashed-key-0001').slice(0, 8)}`, expiresAt: Date.parse('2999-01-01') }],
    ['a key of the list', 'client-key-1', { subject: `client-${digestOf('client-key-1').slice(0, 8)}` }],
    ['a named key of the list', 'client-key-2', { subject: 'mobile' }],
  ])('knows %s', async (_title, key, principal) => {
    const { authenticators, mistakes } = compiled({ keys: KEYS })
    expect(mistakes).toEqual([])
    expect(await answered(the('keys', authenticators), { 'x-api-key': key })).toMatchObject({ kind: 'authenticated', principal })
  })

  it('never knows the empty key', async () => {
    const { authenticators } = compiled({ keys: { ...KEYS, min_length: 1 } })
    expect(await answered(the('keys', authenticators), { 'x-api-key': '' })).toBe('missing')
  })

  it.each([
    ['nothing', {}],
    ['an empty key', { keys: [{ id: 'service', value: '' }] }],
    ['an empty list', { keys_csv: '' }],
    ['a list of commas', { keys_csv: ' , ' }],
  ])('with %s is off, with a warning', (_title, more) => {
    const { mistakes, authenticators, warnings } = compiled({ keys: { type: 'api_key', ...more } })
    expect([mistakes, authenticators.size]).toEqual([[], 0])
    expect(warnings).toEqual([expect.stringMatching(/^authenticators\.keys: this authenticator is off/)])
  })

  it.each<[string, Record<string, unknown>, string, RegExp]>([
    ['a key that is too short', { keys: [{ value: 'sekret' }] }, 'keys[0].value', /min_length is 8/],
    ['a key with blanks', { keys: [{ value: 'se kret key' }] }, 'keys[0].value', /blanks/],
    ['a key without the prefix', { prefix: 'sk_', keys: [{ value: 'pk_sekret_key' }] }, 'keys[0].value', /without the prefix sk_/],
    ['no key at all', { keys: [{ id: 'x' }] }, 'keys[0].value', /expected the key/],
    ['a key and a digest', { keys: [{ value: 'sekret-key', sha256: digestOf('x') }] }, 'keys[0].sha256', /only one of/],
    ['one key twice', { keys: [{ id: 'a', value: 'sekret-key' }, { id: 'b', sha256: digestOf('sekret-key') }] }, 'keys[1]', /same key as number 1/],
    ['one key under two names', { keys_csv: 'a=sekret-key,b=sekret-key' }, 'keys_csv', /"b" and "a" are the same key/],
    ['a short key in the list', { keys_csv: 'long-enough-key,sekret' }, 'keys_csv', /number 2: a key of 6/],
    ['an expiry that is no date', { keys: [{ value: 'sekret-key', expires: 'tomorrow' }] }, 'keys[0].expires', /expected a date/],
    ['an expiry that does not exist', { keys: [{ value: 'sekret-key', expires: '2027-13-01' }] }, 'keys[0].expires', /expected a date/],
    ['a network that is none', { keys: [{ value: 'sekret-key', allowed_networks: '10.0.0.1/8' }] }, 'keys[0].allowed_networks', /bits set/],
    ['an assertion without a header', { keys: [{ value: 'sekret-key', assert_subject: true }] }, 'keys[0].assert_subject', /no header is named/],
    ['a pattern that is none', { keys: [{ value: 'sekret-key' }], subject: { from_header: 'X-User-Id', pattern: '(' } }, 'subject.pattern', /not a regular expression/],
    ['a pattern that takes for ever', { keys: [{ value: 'sekret-key' }], subject: { from_header: 'X-User-Id', pattern: '(a+)+' } }, 'subject.pattern', /can take for ever/],
    ['a file that is not there', { file: '/nowhere/keys.yaml' }, 'file', /not usable/],
  ])('is a mistake with %s', (_title, more, path, message) => {
    const { mistakes } = compiled({ keys: { type: 'api_key', ...more } })
    expect(mistakes).toHaveLength(1)
    expect(mistakes[0]).toMatch(new RegExp(`^authenticators\\.keys\\.${path.replaceAll(/[.[\]]/g, String.raw`\$&`)}: `))
    expect(mistakes[0]).toMatch(message)
    expect(mistakes[0]).not.toContain('sekret')
  })

  it('takes a short key when min_length says so', async () => {
    const { authenticators } = compiled({ keys: { type: 'api_key', keys: [{ id: 'mind', value: 'sekret', assert_subject: true }], min_length: 1, subject: { from_header: 'X-User-Id' } } })
    expect(await answered(the('keys', authenticators), { 'x-api-key': 'sekret', 'x-user-id': 'test-user-123' })).toMatchObject({ principal: { subject: 'test-user-123', asserted: true } })
  })

  it('asks managed keys for what the config does not know', async () => {
    const { authenticators, mistakes } = compiled({ keys: { type: 'api_key', keys: [{ value: 'key-number-1' }], store: join(directory, 'keys.db'), pepper: 'sixteen-characters' } })
    expect(mistakes).toEqual([])
    expect(await answered(the('keys', authenticators), { 'x-api-key': 'key-number-1' })).toMatchObject({ kind: 'authenticated' })
    expect(await answered(the('keys', authenticators), { 'x-api-key': 'key-number-2' })).toMatchObject({ kind: 'rejected', reason: 'key_malformed' })
  })
})

describe('a file of keys', () => {
  const write = (text: string): string => {
    const file = join(directory, 'keys.yaml')
    writeFileSync(file, text)
    return file
  }
  const listed = (key: string) => `keys:\n  - { id: ${key}, sha256: ${digestOf(key)}, scopes: [read] }\n`

  it('is read, kept across a reload, and stays good when a new version is not', async () => {
    const file = write(listed('first-key'))
    const notices: string[] = []
    resources = createResources({ clock: time.clock, observer: { ...SILENT, noticed: (_level, code) => notices.push(code) } })
    const config = { keys: { type: 'api_key', file } }
    const first = compiled(config)
    expect(await answered(the('keys', first.authenticators), { 'x-api-key': 'first-key' })).toMatchObject({ principal: { credentialId: 'first-key', scopes: new Set(['read']) } })
    write('')
    const second = compiled(config)
    expect(second.mistakes).toEqual([])
    await expect.poll(() => notices, { timeout: 5_000 }).toEqual(['key_file_unusable'])
    expect(await answered(the('keys', second.authenticators), { 'x-api-key': 'first-key' })).toMatchObject({ kind: 'authenticated' })
    write(listed('second-key'))
    await expect.poll(() => answered(the('keys', first.authenticators), { 'x-api-key': 'second-key' }), { timeout: 5_000 }).toMatchObject({ kind: 'authenticated' })
    expect(await answered(the('keys', second.authenticators), { 'x-api-key': 'first-key' })).toMatchObject({ reason: 'key_unknown' })
  })

  it('is warned of for short keys in clear, as the config is, and never repeats one', () => {
    const { warnings, mistakes } = compiled({ keys: { type: 'api_key', recommended_length: 32, file: write('keys:\n  - {value: short-key-1}\n  - {value: short-key-2}\n  - {sha256: ' + 'a'.repeat(64) + '}\n') } })
    expect(mistakes).toEqual([])
    expect(warnings).toEqual(['authenticators.keys.file: 2 keys of fewer than 32 characters: make longer ones, such as "openssl rand -hex 32" prints'])
  })

  it.each([
    ['empty', ''],
    ['no list', 'keys: 1\n'],
    ['a list without a name', '- { value: sekret-key }\n'],
    ['an unknown member', 'keys:\n  - { value: sekret-key, admin: true }\n'],
    ['a digest that is none', 'keys:\n  - { sha256: sekret }\n'],
    ['a member twice', 'keys: []\nkeys: []\n'],
    ['a short key', 'keys:\n  - { value: sekret }\n'],
  ])('that is %s stops the start, and does not tell a key', (_title, text) => {
    const { mistakes } = compiled({ keys: { type: 'api_key', file: write(text) } })
    expect(mistakes).toEqual([expect.stringMatching(/^authenticators\.keys\.file: .* is not usable: /)])
    expect(mistakes[0]).not.toContain('sekret')
  })
})
