import { createClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGoTrue, type GoTrue } from './gotrue.ts'

let project: GoTrue
let now = Date.now()
beforeAll(async () => {
  project = await startGoTrue({ clock: () => now })
})
afterAll(() => project.close())

const signedIn = async () => {
  const client = createClient(project.url, project.anonKey, { auth: { persistSession: false, autoRefreshToken: false } })
  const { data, error } = await client.auth.signInWithPassword({ email: 'dev@example.com', password: 'correct horse' })
  if (error) throw error
  return { client, session: data.session }
}
const refresh = (token: string) => fetch(`${project.url}/auth/v1/token?grant_type=refresh_token`, { method: 'POST', headers: { apikey: project.anonKey }, body: JSON.stringify({ refresh_token: token }) })
const user = (headers: Record<string, string>) => fetch(`${project.url}/auth/v1/user`, { headers })

describe('the emulated project', () => {
  it('works with the real client: sign in, user, refresh, sign out', async () => {
    const account = project.accounts.add({})
    const { client, session } = await signedIn()
    expect((await client.auth.getUser()).data.user?.id).toBe(account.id)
    expect((await client.auth.refreshSession()).data.session?.access_token).toBeTypeOf('string')
    expect((await client.auth.getClaims()).data?.claims.sub).toBe(account.id)
    expect((await client.auth.signOut()).error).toBeNull()
    expect((await client.auth.getUser(session.access_token)).error?.name).toBe('AuthSessionMissingError')
    project.accounts.remove(account.id)
  })

  it('ends the session of a refresh token that comes again after ten seconds', async () => {
    project.accounts.add({})
    const { session } = await signedIn()
    const rotated = await (await refresh(session.refresh_token)).json() as { refresh_token: string }
    now += 5_000
    expect(await (await refresh(session.refresh_token)).json()).toMatchObject({ refresh_token: rotated.refresh_token })
    now += 6_000
    expect(await (await refresh(session.refresh_token)).json()).toMatchObject({ error_code: 'refresh_token_already_used' })
    expect(await (await refresh(rotated.refresh_token)).json()).toMatchObject({ error_code: 'refresh_token_not_found' })
  })

  it('answers without an error code when it is the gateway that refuses', async () => {
    expect(await (await user({})).json()).toMatchObject({ message: 'No API key found in request' })
    const wrong = await user({ apikey: 'wrong' })
    expect([wrong.status, wrong.headers.get('x-sb-error-code'), await wrong.json()]).toMatchObject([401, null, { message: 'Invalid API key' }])
  })

  it.each([
    ['no token', 401, 'no_authorization', async () => undefined],
    ['a token without a subject', 403, 'bad_jwt', async () => project.anonKey],
    ['a subject that is no UUID', 400, 'bad_jwt', () => project.sign({ sub: 'x' })],
    ['a deleted user', 403, 'user_not_found', () => project.sign({ sub: '11111111-1111-4111-8111-111111111111' })],
    ['a banned user', 403, 'user_banned', () => project.accessToken(project.accounts.add({ banned: true }))],
    ['an expired token', 403, 'bad_jwt', () => project.accessToken(project.accounts.add({}), { exp: 1 })],
  ])('says why: %s', async (_title, status, code, token) => {
    const bearer = await token()
    const answer = await user({ apikey: project.anonKey, ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }) })
    expect([answer.status, answer.headers.get('x-sb-error-code')]).toEqual([status, code])
  })
})
