import { createServerClient } from '@supabase/ssr'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGoTrue, type GoTrue } from '../../test/support/gotrue.ts'
import { supabaseCookie, supabaseCookieName } from './supabase-cookie.ts'

const asSent = (cookies: readonly { name: string; value: string }[]) => new Map(cookies.map(({ name, value }) => [name, [encodeURIComponent(value)]]))

describe('the session cookie of a Supabase project', () => {
  let project: GoTrue
  beforeAll(async () => {
    project = await startGoTrue()
  })
  afterAll(() => project.close())

  async function cookiesOfSignIn(metadata: Record<string, unknown>, cookieEncoding: 'base64url' | 'raw') {
    const account = project.accounts.add({ userMetadata: metadata })
    const jar = new Map<string, string>()
    const client = createServerClient(project.url, project.anonKey, {
      cookieEncoding,
      cookies: {
        getAll: () => [...jar].map(([name, value]) => ({ name, value })),
        setAll: (cookies) => {
          for (const { name, value } of cookies) jar.set(name, value)
        },
      },
    })
    const { data, error } = await client.auth.signInWithPassword({ email: account.email, password: account.password })
    if (error) throw error
    project.accounts.remove(account.id)
    return { token: data.session.access_token, cookies: asSent([...jar].map(([name, value]) => ({ name, value })).filter(({ value }) => value !== '')) }
  }

  it.each([
    ['one cookie', {}, 'base64url', 1],
    ['chunks', { bio: 'ü'.repeat(2_000) }, 'base64url', 4],
    ['plain JSON', {}, 'raw', 1],
    ['plain JSON in chunks split between characters', { bio: 'ü€😀'.repeat(60) }, 'raw', 2],
  ] as const)('is read as the real library writes it: %s', async (_title, metadata, encoding, least) => {
    const { token, cookies } = await cookiesOfSignIn(metadata, encoding)
    expect(cookies.size).toBeGreaterThanOrEqual(least)
    const found = supabaseCookie(cookies, supabaseCookieName(project.url))
    expect(found).toMatchObject({ kind: 'credential', value: token })
    expect(found?.kind === 'credential' && found.locations.length).toBe(cookies.size)
  })

  it('is named after the first label of the host', () => {
    expect(supabaseCookieName('https://abcdefgh.supabase.co')).toBe('sb-abcdefgh-auth-token')
  })

  const of = (value: string) => supabaseCookie(new Map([['sb-x-auth-token', [value]]]), 'sb-x-auth-token')
  it.each([
    ['no base64', 'base64-!!!'],
    ['no JSON', 'garbage'],
    ['broken percent-encoding', '%E0%A4%A'],
    ['no access token', encodeURIComponent('{"refresh_token":"r"}')],
    ['an access token that is no text', encodeURIComponent('{"access_token":{"a":1}}')],
    ['an inherited access token', encodeURIComponent('{"__proto__":{"access_token":"t"}}')],
    ['null', 'null'],
  ])('is malformed, not missing, with %s', (_title, value) => {
    expect(of(value)).toMatchObject({ kind: 'malformed' })
  })

  it('is another cookie for a code verifier and for another project', () => {
    expect(supabaseCookie(new Map([['sb-x-auth-token-code-verifier', ['base64-eA']], ['sb-y-auth-token', ['base64-eA']]]), 'sb-x-auth-token')).toBeUndefined()
  })
})
