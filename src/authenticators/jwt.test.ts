import { createHmac, createSecretKey, generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportSPKI, importJWK, SignJWT, type CryptoKey } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { request } from '../../test/support/described.ts'
import { startIssuer, type Issuer } from '../../test/support/issuer.ts'
import { createManualTime, type ManualTime } from '../../test/support/manual-time.ts'
import type { Credential } from '../model/credential.ts'
import { SILENT } from '../model/event.ts'
import type { Authenticator, Verification } from '../model/ports.ts'
import { createKeySource, type KeySource } from './key-source.ts'
import { createJwtAuthenticator, type JwtIssuer, type JwtSettings, type VerifiedJwt } from './jwt.ts'
import { createVerificationCache } from './verification-cache.ts'

const time = createManualTime()
let issuer: Issuer
let other: Issuer
beforeAll(async () => {
  issuer = await startIssuer({ algorithms: ['ES256', 'RS256', 'EdDSA', 'PS256'], clock: time.clock })
  other = await startIssuer({ clock: time.clock })
})
beforeEach(() => {
  issuer.behave('ok')
  issuer.publish(undefined)
})
afterAll(async () => {
  await issuer.close()
  await other.close()
})

interface Options { readonly settings?: Partial<JwtSettings>; readonly issuer?: Partial<JwtIssuer>; readonly ttlMs?: number; readonly time?: ManualTime }

function sourceOf(from: Issuer, clock: ManualTime): KeySource {
  return createKeySource({ id: 'idp', issuers: [from.url], jwksUrl: from.jwksUrl, timeoutMs: 200, maxAgeMs: 600_000, cooldownMs: 30_000, staleIfErrorMs: 3_600_000 }, { clock: clock.clock, observer: SILENT, schedule: clock.schedule, random: () => 0.5 })
}

function created(options: Options = {}): { readonly authenticator: Authenticator; readonly source: KeySource } {
  const clock = options.time ?? time
  const source = sourceOf(issuer, clock)
  const trusted: JwtIssuer = { issuers: [issuer.url], audience: ['api'], constraints: [], algorithms: ['ES256', 'RS256', 'EdDSA'], keys: { kind: 'source', source }, ...options.issuer }
  const settings: JwtSettings = {
    id: 'jwt', realm: 'postern', forwardCredential: 'strip', carriers: [{ kind: 'bearer', scheme: 'required' }, { kind: 'cookie', name: 'token' }], issuers: [trusted],
    typ: 'deny_id_token', clockToleranceMs: 5_000, maxTokenLength: 8_192, requiredClaims: [],
    map: { subject: ['/sub'], scopes: ['/scope', '/scp'], roles: ['/roles'], email: ['/email'] },
    ...options.settings,
  }
  const cache = createVerificationCache<VerifiedJwt>({ authenticatorId: settings.id, ttlMs: options.ttlMs ?? 60_000, maxEntries: 100 })
  return { authenticator: createJwtAuthenticator(settings, { observer: SILENT, cache }), source }
}

const BEARER = [{ kind: 'header', name: 'authorization' }] as const
const credential = (value: string, locations: Credential['locations'] = BEARER): Credential => ({ kind: 'credential', value, locations })
const answered = (value: string, options: Options = {}): Promise<Verification> => Promise.resolve(created(options).authenticator.verify(credential(value), (options.time ?? time).clock()))

async function reasonOf(value: string, options: Options = {}): Promise<string> {
  const verification = await answered(value, options)
  if (verification.kind === 'unavailable') return `unavailable: ${verification.cause}`
  return verification.kind === 'authenticated' ? 'authenticated' : verification.reason
}

const part = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const seconds = () => Math.floor(time.clock() / 1_000)
const claims = (more = {}) => ({ iss: issuer.url, sub: 'alice', aud: 'api', iat: seconds(), exp: seconds() + 300, ...more })

/** A real ES256 signature over any header and payload text, for what jose would not sign. */
const { privateKey: handKey, publicKey: handPublic } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
function handSigned(header: unknown, payload: unknown = claims()): string {
  const input = `${part(header)}.${part(payload)}`
  return `${input}.${sign('sha256', Buffer.from(input), { key: handKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
const HAND = { alg: 'ES256', kid: 'hand' }
const publishHand = () => issuer.publish([{ ...handPublic.export({ format: 'jwk' }), kid: 'hand', alg: 'ES256' }])

describe('a good token', () => {
  it.each(['ES256', 'RS256', 'EdDSA'] as const)('of %s is somebody', async (alg) => {
    const token = await issuer.mint({ scope: 'read write', roles: ['admin'], email: 'a@example.com', jti: 'id-1' }, { alg })
    expect(await answered(token)).toEqual({
      kind: 'authenticated',
      principal: {
        kind: 'identified', subject: 'alice', authenticatorId: 'jwt', credentialId: 'id-1', expiresAt: (seconds() + 300) * 1_000, scopes: new Set(['read', 'write']), roles: ['admin'], email: 'a@example.com',
        carrier: BEARER[0], locations: BEARER, attributes: claims({ scope: 'read write', roles: ['admin'], email: 'a@example.com', jti: 'id-1' }),
      },
    })
  })

  it.each([
    ['scopes in an array', { scp: ['a', 'b'] }, { scopes: new Set(['a', 'b']) }],
    ['roles in one text', { roles: 'admin' }, { roles: ['admin'] }],
    ['roles as keys of an object', { roles: { admin: {}, user: {} } }, { roles: ['admin', 'user'] }],
    ['nothing', {}, { scopes: new Set(), roles: [] }],
  ])('may have %s', async (_title, more, expected) => {
    expect(await answered(await issuer.mint(more))).toMatchObject({ kind: 'authenticated', principal: expected })
  })

  it('is mapped by JSON pointers, through own members only', async () => {
    const map = { subject: ['/constructor/name', '/uid', '/sub'], scopes: ['/scope'], roles: ['/app_metadata/roles'], email: ['/email'], tier: ['/app_metadata/tier'] }
    const token = await issuer.mint({ uid: 'u-1', app_metadata: { roles: ['r'], tier: 'pro' } })
    expect(await answered(token, { settings: { map } })).toMatchObject({ principal: { subject: 'u-1', roles: ['r'], tier: 'pro' } })
  })

  it('of a secret is taken with any of the secrets', async () => {
    const keys = { kind: 'secrets', secrets: ['n'.repeat(32), issuer.secret].map((secret) => createSecretKey(Buffer.from(secret))) } as const
    expect(await reasonOf(await issuer.mint({}, { alg: 'HS256' }), { issuer: { keys, algorithms: ['HS256'] } })).toBe('authenticated')
    expect(await reasonOf(await issuer.mint({}, { alg: 'HS256' }), { issuer: { keys: { ...keys, secrets: keys.secrets.slice(0, 1) }, algorithms: ['HS256'] } })).toBe('jwt_signature_invalid')
  })

  it('of another issuer of the same authenticator is checked by that issuer\'s rules', async () => {
    const source = sourceOf(other, time)
    const issuers: JwtIssuer[] = [
      { issuers: [issuer.url], audience: ['api'], constraints: [], algorithms: ['ES256'], keys: { kind: 'source', source: sourceOf(issuer, time) } },
      { issuers: [other.url], audience: ['other-api'], constraints: [], algorithms: ['ES256'], keys: { kind: 'source', source } },
    ]
    expect(await reasonOf(await other.mint({ aud: 'other-api' }), { settings: { issuers } })).toBe('authenticated')
    expect(await reasonOf(await other.mint({ aud: 'api' }), { settings: { issuers } })).toBe('jwt_audience_mismatch')
    expect(await reasonOf(await other.mint({ iss: issuer.url, aud: 'api' }, { kid: issuer.kid('ES256') }), { settings: { issuers } })).toBe('jwt_signature_invalid')
  })

  it('without a kid is tried with the keys that fit', async () => {
    expect(await reasonOf(await issuer.mint({}, { kid: null }))).toBe('authenticated')
    const spare = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
    issuer.publish([{ ...spare, kid: 'spare' }, ...issuer.keys()])
    expect(await reasonOf(await issuer.mint({}, { kid: null }))).toBe('authenticated')
    issuer.publish([...Array.from({ length: 9 }, (_, index) => ({ ...spare, kid: `spare-${index}` })), ...issuer.keys()])
    expect(await reasonOf(await issuer.mint({}, { kid: null }))).toBe('jwt_key_ambiguous')
  })

  it('is answered at once the second time, never past its expiry, and with the carrier of this request', async () => {
    const clock = createManualTime(time.clock())
    const { authenticator } = created({ time: clock })
    const token = await issuer.mint({}, { expiresIn: 30 })
    const first = await authenticator.verify(credential(token), clock.clock())
    const second = authenticator.verify(credential(token), clock.clock())
    expect(second).toEqual(first)
    expect(second).not.toBeInstanceOf(Promise)
    const cookie = [{ kind: 'cookie', name: 'token' }] as const
    expect(authenticator.verify(credential(token, cookie), clock.clock())).toMatchObject({ principal: { carrier: cookie[0], locations: cookie } })
    clock.advance(36_000)
    expect(await authenticator.verify(credential(token), clock.clock())).toMatchObject({ kind: 'rejected', reason: 'jwt_expired', evidence: { expiredSecondsAgo: 6 } })
  })

  it('ends when its key leaves the set', async () => {
    const clock = createManualTime(time.clock())
    const { authenticator, source } = created({ time: clock, ttlMs: 300_000 })
    publishHand()
    const token = handSigned(HAND, claims({ exp: seconds() + 3_600 }))
    expect(await authenticator.verify(credential(token), clock.clock())).toMatchObject({ kind: 'authenticated' })
    issuer.publish(undefined)
    clock.advance(40_000)
    expect(authenticator.verify(credential(token), clock.clock())).toMatchObject({ kind: 'authenticated' })
    await source.refetched(clock.clock())
    expect(await authenticator.verify(credential(token), clock.clock())).toMatchObject({ kind: 'rejected', reason: 'jwt_unknown_kid' })
  })
})

describe('algorithm confusion (T32, T33)', () => {
  const hmac = (header: object, secret: string | Buffer): string => {
    const input = `${part(header)}.${part(claims())}`
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
  }
  const rsa = () => issuer.keys().find(({ kty, alg }) => kty === 'RSA' && alg === 'RS256') ?? {}

  it.each([
    ['the PEM', async () => exportSPKI((await importJWK(rsa(), 'RS256', { extractable: true })) as CryptoKey)],
    ['the DER', async () => Buffer.from((await exportSPKI((await importJWK(rsa(), 'RS256', { extractable: true })) as CryptoKey)).replaceAll(/-----[^-]+-----|\n/g, ''), 'base64')],
    ['the JWK', async () => JSON.stringify(rsa())],
    ['the modulus', async () => Buffer.from(String(rsa().n), 'base64url')],
  ])('an HMAC over %s of a public key is refused', async (_title, secret) => {
    const forged = hmac({ alg: 'HS256', kid: issuer.kid('RS256') }, await secret())
    expect(await reasonOf(forged)).toBe('jwt_alg_not_allowed')
    expect(await reasonOf(forged, { issuer: { algorithms: ['RS256', 'HS256'] } })).toBe('jwt_alg_not_allowed')
  })

  it('a symmetric key in a key set is not a key', async () => {
    issuer.publish([{ kty: 'oct', k: Buffer.from('s'.repeat(32)).toString('base64url'), kid: 'hs', alg: 'HS256' }, ...issuer.keys()])
    expect(await reasonOf(hmac({ alg: 'HS256', kid: 'hs' }, 's'.repeat(32)), { issuer: { algorithms: ['ES256', 'HS256'] } })).toBe('jwt_alg_not_allowed')
  })

  it('a signature of an algorithm that is not listed is refused', async () => {
    expect(await reasonOf(await issuer.mint({}, { alg: 'PS256' }))).toBe('jwt_alg_not_allowed')
  })

  it('a key is only used for its own algorithm', async () => {
    const token = await issuer.mint({}, { alg: 'RS256', kid: issuer.kid('ES256') })
    expect(await reasonOf(token)).toBe('jwt_alg_not_allowed')
  })

  const HEADERS: readonly object[] = [...['none', 'None', 'nOnE', 'NONE', '', ' none', 'none ', 'es256', 'ES256 ', 'HS256', 'constructor', '__proto__', null, ['ES256'], 0].map((alg) => ({ alg })), {}]
  it.each(HEADERS.map((header) => [header]))('the header %j is refused, with and without a signature', async (header) => {
    for (const signature of ['', part('signature')]) expect(await reasonOf(`${part(header)}.${part(claims())}.${signature}`)).toBe('jwt_alg_not_allowed')
    expect(await reasonOf(`${part(header)}.${part(claims())}`)).toBe('jwt_malformed')
    expect(await reasonOf(handSigned({ ...header, kid: 'hand' }))).toBe('jwt_alg_not_allowed')
  })
})

describe('keys that a token brings along (T34)', () => {
  it('are not looked at, and their URLs not called', async () => {
    let calls = 0
    const listener = createServer((_request, response) => {
      calls += 1
      response.end(JSON.stringify({ keys: [{ ...handPublic.export({ format: 'jwk' }), kid: 'hand' }] }))
    })
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', () => resolve()))
    const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/`
    for (const more of [{ jku: url }, { x5u: url }, { jwk: handPublic.export({ format: 'jwk' }) }, { x5c: ['MIIB'] }]) {
      expect(await reasonOf(handSigned({ ...HAND, ...more }))).toBe('jwt_unknown_kid')
    }
    listener.close()
    expect(calls).toBe(0)
  })

  it.each([['__proto__'], ['constructor'], ['../../dev/null'], ['\' OR 1=1'], ['file:///etc/passwd'], ['k'.repeat(256)], ['']])('a kid %j is a name and nothing more', async (kid) => {
    expect(await reasonOf(handSigned({ alg: 'ES256', kid }))).toBe('jwt_unknown_kid')
  })

  it.each([[1], [['hand']], [null], [{}], [true], ['k'.repeat(257)]])('a kid %j is malformed', async (kid) => {
    expect(await reasonOf(handSigned({ alg: 'ES256', kid }))).toBe('jwt_malformed')
  })
})

describe('extensions (T35)', () => {
  it.each([[{ crit: ['x'], x: 1 }], [{ crit: [] }], [{ crit: 'exp' }], [{ crit: null }], [{ crit: ['b64'], b64: false }], [{ b64: false }], [{ b64: true }]])('%j are refused', async (more) => {
    publishHand()
    expect(await reasonOf(handSigned({ ...HAND, ...more }))).toBe('jwt_crit_unsupported')
  })
})

describe('times (T36)', () => {
  const now = seconds()
  it.each([
    ['exp 0', { exp: 0 }, 'jwt_expired'],
    ['exp -1', { exp: -1 }, 'jwt_expired'],
    ['exp in a text', { exp: `${now + 300}` }, 'jwt_claim_invalid'],
    ['exp null', { exp: null }, 'jwt_claim_invalid'],
    ['exp in a list', { exp: [now + 300] }, 'jwt_claim_invalid'],
    ['exp true', { exp: true }, 'jwt_claim_invalid'],
    ['exp 2^53', { exp: 2 ** 53 }, 'jwt_claim_invalid'],
    ['no exp', { exp: undefined }, 'jwt_claim_missing'],
    ['exp within the tolerance', { exp: now - 4 }, 'authenticated'],
    ['exp at the tolerance', { exp: now - 5 }, 'jwt_expired'],
    ['nbf within the tolerance', { nbf: now + 5 }, 'authenticated'],
    ['nbf beyond it', { nbf: now + 6 }, 'jwt_not_yet_valid'],
    ['nbf in a text', { nbf: `${now}` }, 'jwt_claim_invalid'],
    ['iat beyond the tolerance', { iat: now + 6 }, 'jwt_not_yet_valid'],
    ['iat in a text', { iat: `${now}` }, 'jwt_claim_invalid'],
    ['no iat', { iat: undefined }, 'authenticated'],
  ])('%s: %s', async (_title, more, expected) => {
    publishHand()
    expect(await reasonOf(handSigned(HAND, claims(more)))).toBe(expected)
  })

  it('exp 1e400 is no time', async () => {
    publishHand()
    expect(await reasonOf(handSigned(HAND, JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":1e400')))).toBe('jwt_claim_invalid')
  })

  it.each([
    [{ iat: now - 65 }, 'authenticated'],
    [{ iat: now - 66 }, 'jwt_too_old'],
    [{ iat: undefined }, 'jwt_claim_missing'],
  ])('max_age of a minute with %j: %s', async (more, expected) => {
    publishHand()
    expect(await reasonOf(handSigned(HAND, claims(more)), { settings: { maxAgeMs: 60_000 } })).toBe(expected)
  })

  it('says how long ago a token expired', async () => {
    publishHand()
    expect(await answered(handSigned(HAND, claims({ exp: now - 60 })))).toMatchObject({ evidence: { claim: 'exp', expiredSecondsAgo: 60, alg: 'ES256', kid: 'hand' } })
  })

  it('never says expired of a token that was not good', async () => {
    const token = await other.mint({ iss: issuer.url, exp: now - 60 }, { kid: issuer.kid('ES256') })
    expect(await reasonOf(token)).toBe('jwt_signature_invalid')
  })
})

describe('whose and for whom (T37)', () => {
  const ISS = { right: () => issuer.url, wrong: () => 'https://evil.example', 'in a list': () => [issuer.url], empty: () => '', missing: () => undefined, 'a prefix': () => issuer.url.slice(0, -1), longer: () => `${issuer.url}/` }
  const AUD = { right: 'api', wrong: 'other', 'in a list': ['other', 'api'], empty: '', 'an empty list': [], missing: undefined, 'a prefix': 'ap', longer: 'api2', 'an object': { api: true }, 'a list of lists': [['api']], 'a mixed list': ['api', 1] }
  const matrix = Object.entries(ISS).flatMap(([iss, issOf]) => Object.entries(AUD).map(([aud, value]) => [iss, aud, issOf, value] as const))

  it.each(matrix)('iss %s, aud %s', async (iss, aud, issOf, value) => {
    publishHand()
    const expected = iss !== 'right' ? 'jwt_issuer_mismatch' : aud === 'right' || aud === 'in a list' ? 'authenticated' : 'jwt_audience_mismatch'
    expect(await reasonOf(handSigned(HAND, claims({ iss: issOf(), aud: value })))).toBe(expected)
  })

  it('leaves the token of a stranger to another authenticator, and says what it saw', async () => {
    expect(await answered(await other.mint())).toMatchObject({ kind: 'not_applicable', reason: 'jwt_issuer_mismatch', evidence: { seen: other.url, expected: [issuer.url] } })
  })

  it('takes a token of another issuer apart once, however often it passes by', async () => {
    const { authenticator } = created()
    const token = await other.mint()
    const parse = vi.spyOn(JSON, 'parse')
    try {
      const first = authenticator.verify(credential(token), time.clock())
      expect(parse).toHaveBeenCalled()
      parse.mockClear()
      expect(authenticator.verify(credential(token), time.clock())).toEqual(first)
      expect(parse).not.toHaveBeenCalled()
      expect(authenticator.verify(credential(await other.mint({ sub: 'bob' })), time.clock())).toMatchObject({ kind: 'not_applicable' })
      expect(parse).toHaveBeenCalled()
    } finally {
      parse.mockRestore()
    }
  })

  it('reads a token once for all authenticators that it passes by, and the one that trusts its issuer reads it in full', async () => {
    const strangers = Array.from({ length: 5 }, (_, n) => created({ issuer: { issuers: [`https://stranger${n}.example`] } }).authenticator)
    const [mine, asked] = [created().authenticator, credential(await issuer.mint())]
    const parse = vi.spyOn(JSON, 'parse')
    try {
      const answers = [strangers[0]?.verify(asked, time.clock())]
      const texts = parse.mock.calls.length
      answers.push(...strangers.slice(1).map(({ verify }) => verify(asked, time.clock())))
      expect(parse.mock.calls.length).toBe(texts)
      expect(answers).toEqual(strangers.map((_, n) => expect.objectContaining({ kind: 'not_applicable', evidence: expect.objectContaining({ iss: issuer.url, seen: issuer.url, expected: [`https://stranger${n}.example`] }) })))
      expect(await mine.verify(asked, time.clock())).toMatchObject({ kind: 'authenticated' })
      expect(parse.mock.calls.length).toBeGreaterThan(texts)
    } finally {
      parse.mockRestore()
    }
  })

  it('never believes a token because another authenticator has read or verified it', async () => {
    const stranger = created({ issuer: { issuers: ['https://stranger.example'] } }).authenticator
    const elsewhere = created({ issuer: { audience: ['elsewhere'] } }).authenticator
    const [good, mine] = [await issuer.mint(), created().authenticator]
    const asked = credential(good)
    expect(await mine.verify(asked, time.clock())).toMatchObject({ kind: 'authenticated' })
    expect(await elsewhere.verify(asked, time.clock())).toMatchObject({ kind: 'rejected', reason: 'jwt_audience_mismatch' })
    expect(stranger.verify(asked, time.clock())).toMatchObject({ kind: 'not_applicable' })
    expect(await mine.verify(asked, time.clock())).toMatchObject({ kind: 'authenticated' })
    const forged = credential(`${good.slice(0, good.lastIndexOf('.'))}.${'A'.repeat(86)}`)
    expect(stranger.verify(forged, time.clock())).toMatchObject({ kind: 'not_applicable' })
    expect(await mine.verify(forged, time.clock())).toMatchObject({ kind: 'rejected', reason: 'jwt_signature_invalid' })
  })

  it('holds its own cap on a token that another authenticator has read', async () => {
    const [wide, narrow] = [8_192, 200].map((maxTokenLength) => created({ settings: { maxTokenLength }, issuer: { issuers: ['https://stranger.example'] } }).authenticator)
    const asked = credential(await issuer.mint())
    expect(wide?.verify(asked, time.clock())).toMatchObject({ kind: 'not_applicable' })
    for (const again of [asked, credential(asked.value)]) expect(narrow?.verify(again, time.clock())).toMatchObject({ kind: 'rejected', reason: 'token_too_long', evidence: { detail: `${asked.value.length} characters, at most 200 are read` } })
    // Nor is what one says of a length another's answer.
    const fresh = credential(await issuer.mint({ sub: 'bob' }))
    expect(narrow?.verify(fresh, time.clock())).toMatchObject({ reason: 'token_too_long' })
    expect(wide?.verify(fresh, time.clock())).toMatchObject({ kind: 'not_applicable' })
  })

  it('says the same of a token that cannot be read, once it was read by another', async () => {
    const [first, second] = [created().authenticator, created({ settings: { id: 'second' } }).authenticator]
    const asked = credential(handSigned('{"alg":"ES256","kid":"hand","kid":"hand"}'))
    const answer = first.verify(asked, time.clock())
    expect(answer).toMatchObject({ kind: 'rejected', reason: 'jwt_duplicate_member', evidence: { detail: 'header names a member twice' } })
    const parse = vi.spyOn(JSON, 'parse')
    try {
      expect(second.verify(asked, time.clock())).toEqual(answer)
      expect(parse).not.toHaveBeenCalled()
    } finally {
      parse.mockRestore()
    }
  })

  it('says which audience it saw', async () => {
    expect(await answered(await issuer.mint({ aud: 'anon' }))).toMatchObject({ evidence: { claim: 'aud', seen: 'anon', expected: ['api'] } })
  })

  it.each([
    [{ azp: 'app' }, 'authenticated'],
    [{ azp: 'app', aud: undefined }, 'authenticated'],
    [{ azp: ['x', 'app'] }, 'authenticated'],
    [{ azp: 'ap' }, 'jwt_claim_mismatch'],
    [{ azp: { app: 1 } }, 'jwt_claim_mismatch'],
    [{ azp: null }, 'jwt_claim_missing'],
    [{}, 'jwt_claim_missing'],
  ])('a substitute for the audience must hold: %j: %s', async (more, expected) => {
    const constraints = [{ name: 'azp', values: ['app'] }]
    expect(await reasonOf(await issuer.mint(more), { issuer: { audience: [], constraints } })).toBe(expected)
  })

  it.each([
    [{ app_metadata: { plan: 'pro' }, verified: true }, 'authenticated'],
    [{ app_metadata: { plan: 'free' }, verified: true }, 'jwt_claim_mismatch'],
    [{ app_metadata: 'pro', verified: true }, 'jwt_claim_missing'],
    [{ app_metadata: { plan: 'pro' }, verified: false }, 'jwt_claim_mismatch'],
  ])('a constraint may be a JSON pointer, and a flag: %j: %s', async (more, expected) => {
    const constraints = [{ name: '/app_metadata/plan', values: ['pro'] }, { name: 'verified', values: ['true'] }]
    expect(await reasonOf(await issuer.mint(more), { issuer: { constraints } })).toBe(expected)
  })

  it('a required claim must be there', async () => {
    expect(await reasonOf(await issuer.mint(), { settings: { requiredClaims: ['org'] } })).toBe('jwt_claim_missing')
    expect(await reasonOf(await issuer.mint({ org: 'o' }), { settings: { requiredClaims: ['org'] } })).toBe('authenticated')
  })

  it.each([[{ jkt: 'x' }], [{ 'x5t#S256': 'x' }], [{}], [null]])('a token bound to a key is no bearer token (T50): %j', async (cnf) => {
    expect(await reasonOf(await issuer.mint({ cnf }))).toBe('token_sender_constrained')
  })

  it.each([[1], [''], ['a\r\nb'], ['x'.repeat(256)], [['alice']], [{ a: 1 }], [null], [undefined], [' admin'], ['null']])('a subject %j is nobody (T8)', async (sub) => {
    expect(await reasonOf(await issuer.mint({ sub }))).toBe('subject_invalid')
  })
})

describe('kinds of token', () => {
  it.each([
    ['deny_id_token', 'JWT', {}, 'authenticated'],
    ['deny_id_token', undefined, {}, 'authenticated'],
    ['deny_id_token', 'at+jwt', {}, 'authenticated'],
    ['deny_id_token', 'application/at+jwt', {}, 'authenticated'],
    ['deny_id_token', 'logout+jwt', {}, 'jwt_typ_not_allowed'],
    ['deny_id_token', 'application/logout+jwt', {}, 'jwt_typ_not_allowed'],
    ['deny_id_token', 'dpop+jwt', {}, 'jwt_typ_not_allowed'],
    ['deny_id_token', 'id_token', {}, 'jwt_typ_not_allowed'],
    ['deny_id_token', 1, {}, 'jwt_typ_not_allowed'],
    ['deny_id_token', 'JWT', { typ: 'Bearer' }, 'authenticated'],
    ['deny_id_token', 'JWT', { typ: 'ID' }, 'jwt_typ_not_allowed'],
    ['deny_id_token', 'JWT', { typ: 'Refresh' }, 'jwt_typ_not_allowed'],
    ['deny_id_token', 'JWT', { token_use: 'id' }, 'jwt_typ_not_allowed'],
    ['deny_id_token', 'JWT', { token_use: 'access' }, 'authenticated'],
    ['deny_id_token', 'JWT', { at_hash: 'x' }, 'jwt_typ_not_allowed'],
    ['deny_id_token', 'JWT', { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }, 'jwt_typ_not_allowed'],
    ['rfc9068', 'AT+JWT', { client_id: 'c', jti: 'j' }, 'authenticated'],
    ['rfc9068', 'application/at+jwt', { client_id: 'c', jti: 'j' }, 'authenticated'],
    ['rfc9068', 'at+jwt', { jti: 'j' }, 'jwt_claim_missing'],
    ['rfc9068', 'JWT', { client_id: 'c', jti: 'j' }, 'jwt_typ_not_allowed'],
    ['rfc9068', undefined, { client_id: 'c', jti: 'j' }, 'jwt_typ_not_allowed'],
    ['any', 'whatever', { typ: 'ID' }, 'authenticated'],
  ] as const)('%s, header typ %s, claims %j: %s', async (typ, header, more, expected) => {
    publishHand()
    expect(await reasonOf(handSigned({ ...HAND, typ: header }, claims(more)), { settings: { typ } })).toBe(expected)
  })
})

describe('spellings (T38, T44, T65)', () => {
  it('one token has one spelling', async () => {
    const token = await issuer.mint()
    const [header = '', payload = '', signature = ''] = token.split('.')
    const { authenticator } = created()
    expect(await authenticator.verify(credential(token), time.clock())).toMatchObject({ kind: 'authenticated' })
    for (const spelling of [`${token}=`, `${token} `, ` ${token}`, `${header}=.${payload}.${signature}`, `${header}.${payload}\n.${signature}`, `${token}.`, `.${token}`, `${header}.${payload}.${signature.slice(0, -1)}${signature.endsWith('A') ? 'B' : 'A'}`]) {
      expect(await authenticator.verify(credential(spelling), time.clock())).toMatchObject({ kind: 'rejected' })
    }
  })

  it.each([
    ['any byte of the signature', 2],
    ['any byte of the payload', 1],
    ['any byte of the header', 0],
  ])('a token with %s changed is refused, and never unavailable', async (_title, index) => {
    const parts = (await issuer.mint()).split('.')
    const bytes = Buffer.from(parts[index] ?? '', 'base64url')
    const { authenticator } = created()
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      const token = parts.with(index, changed.toString('base64url')).join('.')
      expect(['rejected', 'not_applicable']).toContain((await authenticator.verify(credential(token), time.clock())).kind)
    }
  })

  it('a signature of another length is refused', async () => {
    const [header, payload, signature = ''] = (await issuer.mint()).split('.')
    const bytes = Buffer.from(signature, 'base64url')
    for (const length of [0, 1, 63, 65, 72, 1_000]) {
      const resized = Buffer.concat([bytes, Buffer.alloc(1_000)]).subarray(0, length)
      expect(await reasonOf(`${header}.${payload}.${resized.toString('base64url')}`)).toBe('jwt_signature_invalid')
    }
  })

  it('a member that stands twice is refused although the signature is good', async () => {
    publishHand()
    expect(await reasonOf(handSigned(HAND, JSON.stringify(claims()).replace('{', '{"sub":"admin",')))).toBe('jwt_duplicate_member')
    expect(await reasonOf(handSigned('{"alg":"ES256","kid":"hand","kid":"hand"}'))).toBe('jwt_duplicate_member')
  })

  it('an overlong token is refused unread', async () => {
    expect(await reasonOf(await issuer.mint({ padding: 'x'.repeat(9_000) }))).toBe('token_too_long')
  })
})

describe('telling who is meant', () => {
  const extracted = (value: string) => created().authenticator.extract(request({ headers: { authorization: `Bearer ${value}` } }))

  it('a JWT is taken, a key or an opaque token is left to others', async () => {
    expect(extracted(await issuer.mint())).toMatchObject({ kind: 'credential' })
    for (const value of ['sk_test_abc', 'a.b.c', 'opaque', 'eyJ.a.b.c.d']) expect(extracted(value)).toMatchObject({ kind: 'foreign' })
  })

  it('tells clients and faces what it reads', () => {
    const { authenticator } = created()
    expect(authenticator).toMatchObject({ id: 'jwt', kind: 'jwt', forwardCredential: 'strip', challenge: { scheme: 'Bearer', parameters: [['realm', 'postern']] }, carriers: [...BEARER, { kind: 'cookie', name: 'token' }] })
  })
})

describe('an issuer that cannot be asked', () => {
  it.each(['refuse', 'hang', 'error', 'html', 'large', 'redirect', 'gzip'] as const)('(%s) is never a reason to refuse a token, nor to let it in', async (behaviour) => {
    const token = await issuer.mint()
    issuer.behave(behaviour)
    expect(await answered(token)).toMatchObject({ kind: 'unavailable', dependency: 'idp' })
  })

  it('does not matter for a known key, and makes an unknown one undecidable', async () => {
    const clock = createManualTime(time.clock())
    const { authenticator, source } = created({ time: clock, ttlMs: 0 })
    await source.ready()
    const token = await issuer.mint({ exp: seconds() + 3_600 })
    issuer.behave('refuse')
    clock.advance(30_000)
    expect(await authenticator.verify(credential(handSigned(HAND)), clock.clock())).toMatchObject({ kind: 'unavailable' })
    expect(await authenticator.verify(credential(token), clock.clock())).toMatchObject({ kind: 'authenticated' })
  })

  it('is not asked for a token that is refused anyway', async () => {
    const before = issuer.requests.jwks
    await reasonOf(`${part({ alg: 'none' })}.${part(claims())}.`)
    await reasonOf(await other.mint())
    expect(issuer.requests.jwks).toBe(before)
  })

  it('is asked at most twice by ten thousand tokens of made-up keys', async () => {
    const clock = createManualTime(time.clock())
    const { authenticator, source } = created({ time: clock })
    await source.ready()
    const before = issuer.requests.jwks
    clock.advance(30_000)
    const tokens = Array.from({ length: 10_000 }, (_, index) => `${part({ alg: 'ES256', kid: `made-up-${index}` })}.${part(claims())}.${part('signature')}`)
    const answers = await Promise.all(tokens.map((token) => authenticator.verify(credential(token), clock.clock())))
    expect(answers.every((answer) => answer.kind === 'rejected' && answer.reason === 'jwt_unknown_kid')).toBe(true)
    expect(issuer.requests.jwks - before).toBe(1)
  })
})

describe('what jose does not say about the token', () => {
  it('makes it undecidable', async () => {
    const source: KeySource = { ...sourceOf(issuer, time), keys: () => ({ resolve: async () => { throw new TypeError('broken') }, size: 1, thumbprints: new Map(), revision: '', dropped: [] }) }
    expect(await answered(await issuer.mint(), { issuer: { keys: { kind: 'source', source } } })).toEqual({ kind: 'unavailable', dependency: 'jwt', cause: 'the signature could not be checked: TypeError' })
  })

  it('needs a token that was really signed', async () => {
    const token = await new SignJWT({}).setProtectedHeader(HAND).sign(handKey)
    expect(await reasonOf(token)).toBe('jwt_issuer_mismatch')
  })
})
