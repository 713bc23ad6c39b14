// Verdicts that are remembered for the wrong question (T39). Repeats CVE-2021-32701 and CVE-2026-33496 (Oathkeeper), CVE-2026-35039
// (fast-jwt), CVE-2026-16158 (reply-from), CVE-2026-71326 (Traefik, one flight for two) and CVE-2026-30246 (Fiber).
import { afterAll, describe, expect, it } from 'vitest'
import { type Answer, json, startAnswering } from '../support/answering.ts'
import { rawRequest } from '../support/raw-client.ts'
import { bearer, bytesOf, startTarget } from './target.ts'

const [first, second, remote] = [await startAnswering(), await startAnswering(), await startAnswering()]
afterAll(async () => void (await Promise.all([first, second, remote].map(({ close }) => close()))))

/** Knows the tokens of its own list. */
const knows = (...tokens: string[]): Answer => (response, { body, headers }) => {
  const token = new URLSearchParams(body).get('token') ?? String(headers['x-session'])
  json(tokens.includes(token) ? { active: true, sub: `owner-of-${token}`, id: `owner-of-${token}`, scope: token.startsWith('scoped') ? 'write' : 'read' } : { active: false })(response, { method: '', target: '', headers: {}, body: '' })
}
const target = await startTarget({
  config: ({ issuer, standard }) => ({
    authenticators: {
      a: { type: 'introspection', url: `${first.url}/introspect`, client_id: 'x', client_secret: 'y' },
      b: { type: 'introspection', url: `${second.url}/introspect`, client_id: 'x', client_secret: 'y' },
      c: { type: 'remote', url: `${remote.url}/check`, in: [{ header: 'X-Session' }], also: ['X-Tenant'], map: { subject: '/id' } },
      one: { type: 'jwt', issuer: issuer.url, audience: ['one'], jwks_url: issuer.jwksUrl },
      two: { type: 'jwt', issuer: issuer.url, audience: ['two'], jwks_url: issuer.jwksUrl },
      both: { type: 'jwt', issuer: issuer.url, audience: ['one'], jwks_url: issuer.jwksUrl, in: [{ bearer: true }, { cookie: 'session' }] },
    },
    identity: { 'X-User-Id': 'sub' },
    routes: [
      ...['a', 'b', 'c', 'one', 'two', 'both'].map((name) => ({ match: { path: `/${name}/**` }, auth: [name] })),
      { match: { path: '/write/**' }, auth: ['a'], scopes: ['write'] }, { match: { path: '/admin/**' }, auth: ['one'], roles: ['admin'] },
    ],
    listen: standard['listen'],
  }),
})
const { attack, token, look, attacked } = target
const ask = async (path: string, text: string, more: readonly string[] = []): Promise<number> => (await attack(bytesOf(`GET ${path}`, [bearer(text), ...more, 'Connection: close']))).statuses[0]!

describe('one authenticator\'s yes is not another\'s', () => {
  it('two introspection endpoints, both ways', async () => {
    first.answer(knows('token-of-a'))
    second.answer(knows('token-of-b'))
    expect([await ask('/a/x', 'token-of-a'), await ask('/b/x', 'token-of-a'), await ask('/a/x', 'token-of-a')]).toEqual([200, 401, 200])
    expect([await ask('/b/x', 'token-of-b'), await ask('/a/x', 'token-of-b'), await ask('/b/x', 'token-of-b')]).toEqual([200, 401, 200])
  })

  it('two audiences of one issuer', async () => {
    const text = await token({ aud: 'one' })
    expect([await ask('/one/x', text), await ask('/two/x', text), await ask('/both/x', text), await ask('/two/x', text)]).toEqual([200, 401, 200, 401])
  })

  it('is not a yes to more scopes or roles', async () => {
    first.answer(knows('plain-token', 'scoped-token'))
    expect([await ask('/a/x', 'plain-token'), await ask('/write/x', 'plain-token'), await ask('/write/x', 'scoped-token')]).toEqual([200, 403, 200])
    const user = await token({ aud: 'one' })
    expect([await ask('/one/x', user), await ask('/admin/x', user)]).toEqual([200, 403])
  })

  it('in a header is not one in a cookie: where it stood is asked again', async () => {
    const text = await token({ aud: 'one' })
    const post = async (lines: readonly string[]): Promise<number> => (await attack(bytesOf('POST /both/x', [...lines, 'Origin: https://evil.test', 'Content-Length: 0', 'Connection: close']))).statuses[0]!
    expect(await post([bearer(text)])).toBe(200)
    expect(await post([`Cookie: session=${text}`])).toBe(403)
    expect(await post([bearer(text)])).toBe(200)
  })

  it('of a remote check counts for exactly what was sent on', async () => {
    remote.answer((response, { headers }) => json(headers['x-tenant'] === 'mine' ? { id: 'alice' } : {})(response, { method: '', target: '', headers: {}, body: '' }))
    const statuses = []
    for (const tenant of ['mine', 'yours', 'mine']) statuses.push((await attack(bytesOf('GET /c/x', ['X-Session: the-session-of-alice', `X-Tenant: ${tenant}`, 'Connection: close']))).statuses[0])
    expect(statuses[0]).toBe(200)
    expect(statuses[1]).not.toBe(200)
    expect(statuses[2]).toBe(200)
  })
})

it('two hundred at once, two tokens, one of them waiting: nobody gets the other\'s answer', async () => {
  const release: (() => void)[] = []
  first.answer((response, seen) => {
    if (seen.body.includes('slow-token')) release.push(() => knows('slow-token')(response, seen))
    else knows('quick-token')(response, seen)
  })
  const one = async (nth: number): Promise<void> => {
    const name = nth % 2 === 0 ? 'slow-token' : 'quick-token'
    const [answer] = await rawRequest(attacked.port, bytesOf('GET /a/x', [bearer(name), 'Connection: close']), { timeoutMs: 8_000, answers: 1 })
    expect(answer?.status).toBe(200)
    expect((JSON.parse(answer!.body) as { headers: Record<string, string> }).headers['x-user-id']).toBe(`owner-of-${name}`)
  }
  const asked = first.seen.length
  const all = Promise.all(Array.from({ length: 200 }, (_, nth) => one(nth)))
  await expect.poll(() => release.length).toBeGreaterThan(0)
  await new Promise((resolve) => setTimeout(resolve, 100))
  for (const go of release) go()
  await all
  expect((await look()).arrived).toHaveLength(200)
  // One flight for each token.
  expect(first.seen.length - asked).toBeLessThanOrEqual(4)
})

it('names of introspected tokens that look like paths of the cache are only names', async () => {
  first.answer(knows('x'))
  for (const name of ['a:x', '1:a:x', 'x:', '__proto__', 'constructor', 'a/x', 'x='] ) expect(await ask('/a/x', name)).toBe(401)
})
