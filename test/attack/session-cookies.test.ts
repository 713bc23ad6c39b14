// Cookies of Auth.js that are no sessions (T45). Repeats CVE-2023-48309 (state and PKCE cookies taken for sessions), CVE-2026-73421 (an error
// object that counts as a session), CVE-2025-46344 (a sealed token without an end), and what chunks and two names of one cookie make possible.
// All of them are sealed by the real libraries, with the real secret: what is tested is what else Postern asks of them.
import { encode as encodeV5 } from '@auth/core/jwt'
import { EncryptJWT } from 'jose'
import { encode as encodeV4 } from 'next-auth/jwt'
import { describe, expect, it } from 'vitest'
import { sessionKeys } from '../../src/authenticators/session-keys.ts'
import { bytesOf, startTarget } from './target.ts'

const [SECRET, OLD, FORGOTTEN] = ['newest-secret-0123456789abcdef0123456789', 'listed-secret-0123456789abcdef0123456789', 'forgotten-secret-0123456789abcdef012345'] as const
const [V4, V5] = ['next-auth.session-token', 'authjs.session-token'] as const

const { attack, secrets } = await startTarget({
  config: ({ standard }) => ({
    authenticators: { ...(standard['authenticators'] as object), web: { type: 'session', secrets: [SECRET, OLD] } },
    routes: [{ match: { path: '/guarded/**' }, auth: ['web'] }, { match: { path: '/optional/**' }, auth: ['web', 'anyone'] }],
  }),
})

const v5 = (token: Record<string, unknown>, salt: string = V5, secret: string = SECRET): Promise<string> => encodeV5({ token, secret, salt })
const v4 = (token: Record<string, unknown>, secret: string = SECRET): Promise<string> => encodeV4({ token, secret })

async function send(path: string, cookies: readonly string[]) {
  for (const cookie of cookies) secrets.add(cookie.slice(cookie.indexOf('=') + 1))
  const { statuses, arrived } = await attack(bytesOf(`GET ${path}`, [`Cookie: ${cookies.join('; ')}`, 'Connection: close']))
  return { status: statuses[0], arrived }
}

/** Neither somebody, nor anybody. */
async function refused(...cookies: string[]): Promise<void> {
  for (const path of ['/guarded/x', '/optional/x']) {
    const { status, arrived } = await send(path, cookies)
    expect([400, 401], path).toContain(status)
    expect(arrived).toEqual([])
  }
}

describe('a session', () => {
  it.each([['v4', V4, () => v4({ sub: 'ada' })], ['v5', V5, () => v5({ sub: 'ada' })], ['v5 under a listed older secret', V5, () => v5({ sub: 'ada' }, V5, OLD)]])('of %s is one, so that what follows is refused for what it is', async (_version, name, make) => {
    expect((await send('/guarded/x', [`${name}=${await make()}`])).status).toBe(200)
  })

  it('under a secret that is listed no more is none', async () => {
    await refused(`${V5}=${await v5({ sub: 'ada' }, V5, FORGOTTEN)}`)
    await refused(`${V4}=${await v4({ sub: 'ada' }, FORGOTTEN)}`)
  })
})

describe('a sealed cookie of another purpose, under the name of the session', () => {
  const PURPOSES = ['authjs.state', 'authjs.pkce.code_verifier', 'authjs.nonce', 'authjs.challenge', '__Secure-authjs.state', '__Host-authjs.csrf-token', V4, `__Secure-${V5}`, `${V5}.0`]
  it.each(PURPOSES)('sealed for %j is none, whatever it says', async (salt) => {
    await refused(`${V5}=${await v5({ sub: 'ada', value: 'x' }, salt)}`)
  })

  it.each([{ value: 'the-state' }, { state: 'x', value: 'y' }, { code_verifier: 'x' }, { challenge: 'x', registerData: {} }, { error: 'RefreshAccessTokenError' }, { message: 'There was a problem', name: 'Error' }, { sub: '' }, { sub: null }, { sub: 7 }, { sub: ['ada'] }, { sub: { id: 'ada' } }, {}])('of v4, where all purposes share a key: %j is none', async (payload) => {
    await refused(`${V4}=${await v4(payload)}`)
    await refused(`${V5}=${await v5(payload)}`)
  })

  it('without an end is none', async () => {
    for (const [version, name, encryption] of [['v4', V4, 'A256GCM'], ['v5', V5, 'A256CBC-HS512']] as const) {
      const [key] = sessionKeys({ secrets: [SECRET], versions: [version], cookie: name })
      const seal = (token: EncryptJWT): Promise<string> => token.setProtectedHeader({ alg: 'dir', enc: encryption, ...(key!.kid !== undefined && { kid: key!.kid }) }).encrypt(key!.key)
      expect((await send('/guarded/x', [`${name}=${await seal(new EncryptJWT({ sub: 'ada' }).setExpirationTime('1h'))}`])).status, version).toBe(200)
      await refused(`${name}=${await seal(new EncryptJWT({ sub: 'ada' }))}`)
    }
  })
})

describe('a session in pieces', () => {
  const pieces = (value: string, size: number): string[] => (value.match(new RegExp(`.{1,${size}}`, 'g')) ?? []).map((part, index) => `${V5}.${index}=${part}`)

  it('is one with all of them, in any order', async () => {
    const all = pieces(await v5({ sub: 'ada' }), 100)
    expect((await send('/guarded/x', all)).status).toBe(200)
    expect((await send('/guarded/x', all.toReversed())).status).toBe(200)
  })

  it('is none where one is missing, twice, renumbered or exchanged, or where there are more than ten', async () => {
    const all = pieces(await v5({ sub: 'ada' }), 100)
    const [first = '', second = '', ...rest] = all
    const value = (piece: string): string => piece.slice(piece.indexOf('=') + 1)
    await refused(first, ...rest)
    await refused(...all.slice(0, -1))
    await refused(...all, second)
    await refused(...all.map((piece, index) => `${V5}.${index + 1}=${value(piece)}`))
    await refused(`${V5}.0=${value(second)}`, `${V5}.1=${value(first)}`, ...rest)
    await refused(...all.map((piece, index) => `${V5}.0${index}=${value(piece)}`))
    await refused(...pieces(await v5({ sub: 'ada', name: 'x'.repeat(500) }), 60))
  })

  it('is none beside a whole one, and two whole ones under both names are none either', async () => {
    const [whole, mine] = [await v5({ sub: 'ada' }), await v5({ sub: 'mallory' })]
    await refused(`${V5}=${whole}`, ...pieces(mine, 100))
    await refused(`${V5}=${whole}`, `${V5}=${mine}`)
    await refused(`${V5}=${whole}`, `__Secure-${V5}=${await v5({ sub: 'mallory' }, `__Secure-${V5}`)}`)
  })
})
