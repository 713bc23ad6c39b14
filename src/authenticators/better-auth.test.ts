import { createHmac } from 'node:crypto'
import { EncryptJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { request } from '../../test/support/described.ts'
import { SILENT } from '../model/event.ts'
import { createBetterAuthAuthenticator, type BetterAuthSettings } from './better-auth.ts'
import { betterAuthCacheKeys } from './session-keys.ts'
import { createVerdictCache, type Verdict } from './verdict-cache.ts'

const SECRET = 'better-secret-0123456789abcdef0123456789'
const OTHER = 'another-secret-0123456789abcdef01234567'
const NAME = 'better-auth.session_token'
const TOKEN = 'hVXgTs7yTKPpzoDEcKlJrQwxy1jDJhVX'
const NOW = 1_800_000_000_000

const signed = (token = TOKEN, secret = SECRET): string => encodeURIComponent(`${token}.${createHmac('sha256', secret).update(token).digest('base64')}`)
const data = (user = 'ada', token = TOKEN, expiresAt = NOW + 3_600_000) => ({
  session: { id: 's', token, userId: user, expiresAt: new Date(expiresAt).toISOString() },
  user: { id: user, email: `${user}@example.com`, name: 'Ada', image: 'https://example.com/p.png' }, updatedAt: NOW, version: '1',
})
const compact = (session: object = data(), expiresAt = NOW + 300_000, secret = SECRET): string =>
  Buffer.from(JSON.stringify({ session, expiresAt, signature: createHmac('sha256', secret).update(JSON.stringify({ ...session, expiresAt })).digest('base64url') })).toString('base64url')

function authenticator(overrides: Partial<BetterAuthSettings> = {}) {
  const asked: string[] = []
  const known: Verdict = { kind: 'known', claims: data('from-application') }
  const session = createBetterAuthAuthenticator({
    id: 'session', prefix: 'better-auth', secrets: [SECRET], cookieCache: 'off', clockToleranceMs: 15_000, attributes: ['name', 'email', 'picture'],
    cache: createVerdictCache({ name: 'session', ttlMs: 10_000, negativeTtlMs: 5_000, maxEntries: 10, observer: SILENT }),
    pointers: { subject: ['/user/id'], email: ['/user/email'], roles: ['/user/role'], scopes: [] }, challenge: { scheme: 'Cookie', parameters: [] }, forwardCredential: 'keep',
    ask: async (cookie) => {
      asked.push(cookie)
      return known
    },
    ...overrides,
  })
  const verify = async (cookie: string, now = NOW) => {
    const found = session.extract(request({ headers: { cookie } }))
    return found?.kind === 'credential' ? session.verify(found, now) : found
  }
  return { asked, verify }
}
const invalid = { kind: 'rejected', reason: 'session_invalid' }

describe('a better-auth session', () => {
  it('with a good signature is asked about with only its cookie', async () => {
    const { verify, asked } = authenticator()
    expect(await verify(`theme=dark; ${NAME}=${signed()}`)).toMatchObject({ principal: { subject: 'from-application', email: 'from-application@example.com', attributes: { name: 'Ada', picture: 'https://example.com/p.png' } } })
    expect(asked).toEqual([`${NAME}=${signed()}`])
  })

  it.each([
    ['a signature of another secret', signed(TOKEN, OTHER)],
    ['no signature', TOKEN],
    ['the signature of another token', signed().replace(TOKEN, TOKEN.toLowerCase())],
    ['broken percent-encoding', '%E0%A4%A'],
    ['garbage', 'x'.repeat(10_000)],
  ])('is refused without a call: %s', async (_title, value) => {
    const { verify, asked } = authenticator()
    expect(await verify(`${NAME}=${value}`)).toEqual(invalid)
    expect(asked).toEqual([])
  })

  it('of an old secret holds as long as the secret is listed', async () => {
    expect(await authenticator({ secrets: [SECRET, OTHER] }).verify(`${NAME}=${signed(TOKEN, OTHER)}`)).toMatchObject({ kind: 'authenticated' })
  })

  it('without secrets is the application\'s to judge', async () => {
    expect(await authenticator({ secrets: [] }).verify(`${NAME}=${signed(TOKEN, OTHER)}`)).toMatchObject({ kind: 'authenticated' })
  })

  it('may have its __Secure- name, but not both', async () => {
    const { verify, asked } = authenticator()
    expect(await verify(`__Secure-${NAME}=${signed()}`)).toMatchObject({ kind: 'authenticated' })
    expect(asked).toEqual([`__Secure-${NAME}=${signed()}`])
    expect(await verify(`${NAME}=${signed()}; __Secure-${NAME}=${signed()}`)).toMatchObject({ kind: 'ambiguous' })
  })
})

describe('its cookie cache', () => {
  const cached = (value: string) => `${NAME}=${signed()}; better-auth.session_data=${value}`
  const seal = (claims: object) => {
    const key = betterAuthCacheKeys([SECRET])[0]!
    return new EncryptJWT({ ...claims }).setProtectedHeader({ alg: 'dir', enc: 'A256CBC-HS512', kid: key.kid }).setExpirationTime(NOW / 1_000 + 300).encrypt(key.key)
  }

  it.each([['compact', async () => compact()], ['jwe', () => seal(data())]] as const)('in its %s form answers without a call, and both cookies are locations', async (cookieCache, make) => {
    const { verify, asked } = authenticator({ cookieCache })
    expect(await verify(cached(await make()))).toMatchObject({ principal: { subject: 'ada', expiresAt: NOW + 300_000, locations: [{ name: NAME }, { name: 'better-auth.session_data' }] } })
    expect(asked).toEqual([])
  })

  it.each([
    ['of another session', compact(data('mallory', 'another-token-0123456789'))],
    ['with another signature', compact(data(), NOW + 300_000, OTHER)],
    ['that is too old', compact(data(), NOW)],
    ['of a session that has ended', compact(data('ada', TOKEN, NOW))],
    ['without a user', compact({ ...data(), user: null })],
    ['of garbage', 'garbage'],
    ['of the wrong form', 'bnVsbA'],
  ])('is passed over, and the application asked: one %s', async (_title, value) => {
    const { verify, asked } = authenticator({ cookieCache: 'compact' })
    expect(await verify(cached(value))).toMatchObject({ principal: { subject: 'from-application' } })
    expect(asked).toHaveLength(1)
  })

  it('means nothing without the session cookie, nor with a bad one', async () => {
    const { verify } = authenticator({ cookieCache: 'compact' })
    expect(await verify(`better-auth.session_data=${compact()}`)).toBeUndefined()
    expect(await verify(`${NAME}=${signed(TOKEN, OTHER)}; better-auth.session_data=${compact()}`)).toEqual(invalid)
  })

  it('is not read unless the config says that the application has one', async () => {
    expect(await authenticator().verify(cached(compact()))).toMatchObject({ principal: { subject: 'from-application' } })
  })
})
