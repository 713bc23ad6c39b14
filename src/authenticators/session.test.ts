import { encode as encodeV5 } from '@auth/core/jwt'
import { EncryptJWT, SignJWT } from 'jose'
import { encode as encodeV4 } from 'next-auth/jwt'
import { describe, expect, it } from 'vitest'
import { request } from '../../test/support/described.ts'
import { SILENT } from '../model/event.ts'
import type { Verification } from '../model/ports.ts'
import { createSessionAuthenticator, SESSION_FAMILIES, type SessionSettings } from './session.ts'
import { sessionKeys } from './session-keys.ts'
import { createVerdictCache, type Verdict } from './verdict-cache.ts'

const SECRET = 'test-secret-0123456789abcdef0123456789abcdef'
const V4 = 'next-auth.session-token'
const V5 = 'authjs.session-token'
const V4_VECTOR = 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AQEBAQEBAQEBAQEB.yz79zyipKzSo8CSpFnMcc2lQ4WZ8K8Lt9SvoDVa0iOHGIuph73JMEyKWFLqGNH6iQmBAZ6imutLujjoJcnrJbPI26Kc3LN05CZ6lNYDnc5HxElqpZwMLK-LzaY1KX6cTbDT6xSJj_GUZnOPyTToZnTxaT2bQDqhUv779fs4tbWUYj6O5GI0.75mXTMJQYkkL7gJQZU9lJw'
const V5_VECTOR = 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2Q0JDLUhTNTEyIiwia2lkIjoiOUU3UVh4NERDUTFPRHFucnNvSmVLeUJpVFVRaFhKWnpzRWV2TEJIOENoMm9fRGVqMjdPeGNDNUViYk1MT0ZoMGJHXzlRbm9JRVQxNWJWaGktZDZzekEifQ..AgICAgICAgICAgICAgICAg.N1hYon18f3vW_TEeqlGyqJaovggtpSRpoGnqzKb0IfTL7aQWBzOiXyMaLLpZY9ORxGr-JYh38EBBG0k8CfypWyjysdbaCwPhs4EO1Zi3UvQLqetnqhmv3-OUOWmalqtExHBdupVhYgP2CppssxXS8onAlERc0q30j_4urKEc5fZII01DNA5D3AeV4ZPddBLi.PMrAqT7nrqLOoPhKQdQirWeVkOIH0jW3MRuaVNe8X0M'
const NOW = Date.now()

function authenticator(overrides: Partial<SessionSettings> = {}) {
  return createSessionAuthenticator({
    id: 'session', families: [SESSION_FAMILIES.v5, SESSION_FAMILIES.v4], secrets: [SECRET], clockToleranceMs: 15_000, attributes: ['name', 'email', 'picture'],
    cache: createVerdictCache({ name: 'session', ttlMs: 10_000, negativeTtlMs: 5_000, maxEntries: 10, observer: SILENT }),
    pointers: { subject: ['/sub', '/user/id', '/user/email'], email: ['/email', '/user/email'], roles: ['/roles', '/user/role'], scopes: [] },
    challenge: { scheme: 'Cookie', parameters: [] }, forwardCredential: 'keep', ...overrides,
  })
}

async function verify(cookie: string, overrides: Partial<SessionSettings> = {}, now = NOW): Promise<Verification | { kind: string } | undefined> {
  const session = authenticator(overrides)
  const found = session.extract(request({ headers: { cookie } }))
  return found?.kind === 'credential' ? session.verify(found, now) : found
}
const chunks = (name: string, value: string, size: number) => (value.match(new RegExp(`.{1,${size}}`, 'g')) ?? []).map((part, index) => `${name}.${index}=${part}`)
const invalid = { kind: 'rejected', reason: 'session_invalid' }
const v5 = (salt: string, token: object, secret: string | string[] = SECRET) => encodeV5({ token, secret, salt })

describe('the keys of the two libraries', () => {
  it('are derived as they derive them', () => {
    const [gcm] = sessionKeys({ secrets: [SECRET], versions: ['v4'], cookie: V4 })
    expect(Buffer.from(gcm!.key).toString('hex')).toBe('d11554fb9845df10d663c9ee7c678b624495b91d0c02b55a25f0e849aa6678a5')
    const [cbc] = sessionKeys({ secrets: [SECRET], versions: ['v5'], cookie: V5 })
    expect(cbc!.kid).toBe('9E7QXx4DCQ1ODqnrsoJeKyBiTUQhXJZzsEevLBH8Ch2o_Dej27OxcC5EbbMLOFh0bG_9QnoIET15bVhi-d6szA')
  })
})

describe('a sealed session', () => {
  it.each([['v4', V4, V4_VECTOR], ['v5', V5, V5_VECTOR]])('of the published %s vector names its subject', async (_version, name, value) => {
    expect(await verify(`${name}=${value}`)).toMatchObject({
      kind: 'authenticated',
      principal: { subject: 'user-1', authenticatorId: 'session', expiresAt: 4_102_444_800_000, carrier: { kind: 'cookie', name }, attributes: { name: 'Ada' } },
    })
  })

  it.each([
    ['next-auth v4', V4, () => encodeV4({ token: { sub: 'u', email: 'u@example.com', picture: 'https://example.com/p.png', roles: ['admin'], access_token: 'of-another-service' }, secret: SECRET })],
    ['Auth.js v5', V5, () => v5(V5, { sub: 'u', email: 'u@example.com', picture: 'https://example.com/p.png', roles: ['admin'], access_token: 'of-another-service' })],
  ] as const)('made by the real %s carries email, roles and the chosen attributes only', async (_title, name, make) => {
    const result = await verify(`${name}=${await make()}`)
    expect(result).toMatchObject({ principal: { subject: 'u', email: 'u@example.com', roles: ['admin'] } })
    expect((result as { principal: { attributes: object } }).principal.attributes).toEqual({ email: 'u@example.com', picture: 'https://example.com/p.png' })
  })

  it('in chunks is the same session in any order, and every chunk is a location', async () => {
    const parts = chunks(V5, V5_VECTOR, 200)
    const result = await verify(parts.toReversed().join('; '))
    expect(result).toMatchObject({ principal: { subject: 'user-1', locations: parts.map((part) => ({ kind: 'cookie', name: part.split('=')[0] })) } })
  })

  it('under the __Secure- name has another key in v5 and the same in v4', async () => {
    expect(await verify(`__Secure-${V5}=${await v5(`__Secure-${V5}`, { sub: 'u' })}`)).toMatchObject({ kind: 'authenticated' })
    expect(await verify(`__Secure-${V5}=${V5_VECTOR}`)).toEqual(invalid)
    expect(await verify(`__Secure-${V4}=${V4_VECTOR}`)).toMatchObject({ kind: 'authenticated' })
  })

  it('of an old secret holds as long as the secret is listed', async () => {
    const old = 'old-secret-0123456789abcdef0123456789abcdef'
    for (const [name, value] of [[V4, await encodeV4({ token: { sub: 'u' }, secret: old })], [V5, await v5(V5, { sub: 'u' }, [old])]]) {
      expect(await verify(`${name}=${value}`, { secrets: [SECRET, old] })).toMatchObject({ kind: 'authenticated' })
      expect(await verify(`${name}=${value}`)).toEqual(invalid)
    }
  })

  it('expires, with fifteen seconds for the clocks', async () => {
    const cookie = `${V5}=${await v5(V5, { sub: 'u' })}`
    const exp = NOW + 30 * 86_400_000
    expect(await verify(cookie, {}, exp + 12_000)).toMatchObject({ kind: 'authenticated' })
    expect(await verify(cookie, {}, exp + 17_000)).toEqual({ kind: 'rejected', reason: 'session_expired' })
  })

  const keys = sessionKeys({ secrets: [SECRET], versions: ['v5'], cookie: V5 })
  const seal = (claims: object, enc = 'A256CBC-HS512'): Promise<string> =>
    new EncryptJWT({ ...claims }).setProtectedHeader({ alg: 'dir', enc }).encrypt(keys.find((entry) => entry.encryption === enc)!.key)
  const flipped = (value: string) => value.slice(0, -2) + (value.endsWith('A') ? 'B' : 'A') + value.slice(-1)

  const refused: readonly (readonly [string, () => Promise<string>])[] = [
    ['garbage', async () => 'garbage'],
    ['a value of dots', async () => '.'.repeat(10_000)],
    ['the vector with a changed tag', async () => flipped(V5_VECTOR)],
    ['the vector of the other version', async () => V4_VECTOR],
    ['no subject', () => v5(V5, { name: 'Ada' })],
    ['an empty subject', () => v5(V5, { sub: '' })],
    ['a subject that is no text', () => v5(V5, { sub: 7 })],
    ['an error object in place of a session', () => v5(V5, { sub: 'u', error: { message: 'refresh failed' } })],
    ['no expiry', () => seal({ sub: 'u' })],
    ['an expiry that is no number', () => seal({ sub: 'u', exp: '4102444800' })],
    ['the state cookie of the same application', () => v5('authjs.state', { sub: 'u' })],
    ['a compressed payload', async () => `${Buffer.from(JSON.stringify({ alg: 'dir', enc: 'A256CBC-HS512', zip: 'DEF' })).toString('base64url')}..AA.AA.AA`],
    ['a password-based key with two billion iterations', async () => `${Buffer.from(JSON.stringify({ alg: 'PBES2-HS256+A128KW', enc: 'A256GCM', p2c: 2e9, p2s: 'AA' })).toString('base64url')}..AA.AA.AA`],
    ['an encryption that neither library uses', async () => `${Buffer.from(JSON.stringify({ alg: 'dir', enc: 'A128GCM' })).toString('base64url')}..AA.AA.AA`],
    ['a demanded extension', async () => `${Buffer.from(JSON.stringify({ alg: 'dir', enc: 'A256GCM', crit: ['x'], x: 1 })).toString('base64url')}..AA.AA.AA`],
    ['a signed token, not a sealed one', () => new SignJWT({ sub: 'u', exp: 4_102_444_800 }).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET))],
  ]
  it.each(refused)('is refused: %s', async (_title, make) => {
    expect(await verify(`${V5}=${await make()}`)).toEqual(invalid)
  })

  it('by A256GCM with the key of its name is one that v5 reads too', async () => {
    expect(await verify(`${V5}=${await seal({ sub: 'u', exp: 4_102_444_800 }, 'A256GCM')}`)).toMatchObject({ kind: 'authenticated' })
  })

  it('under a name of the application is found by that name only', async () => {
    const families = [{ name: 'my-session', versions: ['v4', 'v5'] as const }]
    expect(await verify(`my-session=${V4_VECTOR}`, { families })).toMatchObject({ kind: 'authenticated' })
    expect(await verify(`my-session=${await v5('my-session', { sub: 'u' })}`, { families })).toMatchObject({ kind: 'authenticated' })
    expect(await verify(`${V4}=${V4_VECTOR}`, { families })).toBeUndefined()
  })

  it.each([
    ['twice', `${V5}=${V5_VECTOR}; ${V5}=${V5_VECTOR}`, 'ambiguous'],
    ['beside its __Secure- twin', `${V5}=${V5_VECTOR}; __Secure-${V5}=${V5_VECTOR}`, 'ambiguous'],
    ['with a missing chunk', `${V5}.0=a; ${V5}.2=c`, 'malformed'],
  ])('is not guessed at: %s', async (_title, cookie, kind) => {
    expect(await verify(cookie)).toMatchObject({ kind })
  })

  it('is never looked for in Authorization', () => {
    expect(authenticator().extract(request({ headers: { authorization: `Bearer ${V4_VECTOR}` } }))).toBeUndefined()
  })
})

describe('a session that lives in a database', () => {
  const known: Verdict = { kind: 'known', claims: { user: { id: 'db-1', email: 'ada@example.com', name: 'Ada', image: 'https://example.com/p.png', role: 'editor' } } }

  it('is asked about with only that cookie, once for as long as the answer is kept', async () => {
    const asked: string[] = []
    const session = authenticator({ ask: async (cookie) => {
      asked.push(cookie)
      return known
    } })
    const credential = session.extract(request({ headers: { cookie: `theme=dark; ${V5}=opaque-token; other=1` } }))
    if (credential?.kind !== 'credential') throw new Error('not found')
    const results = await Promise.all([session.verify(credential, NOW), session.verify(credential, NOW)])
    expect(await session.verify(credential, NOW + 9_000)).toEqual(results[0])
    expect(results[1]).toMatchObject({ principal: { subject: 'db-1', email: 'ada@example.com', roles: ['editor'], attributes: { name: 'Ada', picture: 'https://example.com/p.png' } } })
    expect(asked).toEqual([`${V5}=opaque-token`])
  })

  it('is refused when the application does not know it, and undecided when it cannot be asked', async () => {
    expect(await verify(`${V5}=opaque`, { ask: async () => ({ kind: 'rejected', reason: 'session_invalid' }) })).toEqual(invalid)
    expect(await verify(`${V5}=opaque`, { ask: async () => ({ kind: 'unavailable', dependency: 'app', cause: 'refused' }) })).toMatchObject({ kind: 'unavailable' })
  })

  it('does not lead to a call for a sealed cookie that no secret opens, nor for a value that no cookie may have', async () => {
    const ask = async (): Promise<Verdict> => {
      throw new Error('asked')
    }
    expect(await verify(`${V5}=${V4_VECTOR}`, { ask })).toEqual(invalid)
    expect(await verify(`${V5}="quoted,value"`, { ask })).toEqual(invalid)
  })

  it('is the only kind when no secret is given: sealed cookies are the application\'s to read', async () => {
    expect(await verify(`${V5}=${V5_VECTOR}`, { secrets: [], ask: async () => known })).toMatchObject({ principal: { subject: 'db-1' } })
  })
})
