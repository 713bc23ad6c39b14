// Credentials that were good once (T40, T36). Repeats CVE-2026-43983 (Pocket ID), CVE-2024-21492 (caddy-security), GO-2024-2744
// (Authelia), CVE-2025-22149 (jwkset, removed keys kept) and CVE-2026-107719 (fast-jwt, remembered past exp).
import { afterAll, describe, expect, it } from 'vitest'
import { json, startAnswering } from '../support/answering.ts'
import { bearer, bytesOf, startTarget } from './target.ts'

const authority = await startAnswering()
afterAll(() => authority.close())
const { attack, token, issuer } = await startTarget({
  config: ({ issuer: known }) => ({
    authenticators: {
      remembered: { type: 'introspection', url: `${authority.url}/introspect`, client_id: 'x', client_secret: 'y', cache: { ttl: '300ms' } },
      asked: { type: 'introspection', url: `${authority.url}/introspect`, client_id: 'x', client_secret: 'y', cache: { ttl: '0' } },
      token: { type: 'jwt', issuer: known.url, audience: ['api'], jwks_url: known.jwksUrl, clock_tolerance: '0', jwks: { max_age: '400ms', cooldown: '10ms' } },
    },
    identity: { 'X-User-Id': 'sub' },
    routes: ['remembered', 'asked', 'token'].map((name) => ({ match: { path: `/${name}/**` }, auth: [name] })),
  }),
})
const ask = async (path: string, text: string): Promise<number> => (await attack(bytesOf(`GET ${path}`, [bearer(text), 'Connection: close']))).statuses[0]!
const active = (is: boolean): void => authority.answer(json(is ? { active: true, sub: 'alice' } : { active: false }))

/** Milliseconds until the first refusal; from then on there must be no other answer. */
async function lastYes(path: string, text: string, forMs: number): Promise<number> {
  const start = performance.now()
  let last = 0
  let refused = false
  while (performance.now() - start < forMs) {
    const status = await ask(path, text)
    if (status === 200) {
      expect(refused, 'good again after a refusal').toBe(false)
      last = performance.now() - start
    } else {
      expect(status).toBe(401)
      refused = true
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  expect(refused).toBe(true)
  return last
}

describe('a revoked token', () => {
  it('is good no longer than it may be remembered', async () => {
    active(true)
    expect(await ask('/remembered/x', 'revoked-later-1')).toBe(200)
    active(false)
    expect(await lastYes('/remembered/x', 'revoked-later-1', 900)).toBeLessThan(300 + 250)
  })

  it('is refused at once where nothing is remembered', async () => {
    active(true)
    expect(await ask('/asked/x', 'revoked-later-2')).toBe(200)
    active(false)
    expect(await ask('/asked/x', 'revoked-later-2')).toBe(401)
  })

  it('that the authority says has expired is refused, whatever it remembers', async () => {
    authority.answer(json({ active: true, sub: 'alice', exp: Math.floor(Date.now() / 1_000) - 60 }))
    for (const path of ['/remembered/x', '/asked/x']) expect(await ask(path, 'expired-long-ago')).toBe(401)
  })
})

describe('a signed token', () => {
  it('is not good past exp because it was good before', async () => {
    const text = await token({ exp: Math.floor(Date.now() / 1_000) + 2 })
    expect(await ask('/token/x', text)).toBe(200)
    expect(await lastYes('/token/x', text, 2_600)).toBeLessThan(2_000 + 150)
  })

  it('ends with its key, within one refresh of the set', async () => {
    const text = await token()
    expect(await ask('/token/x', text)).toBe(200)
    await issuer.rotate()
    expect(await lastYes('/token/x', text, 900)).toBeLessThan(400 + 250)
    expect(await ask('/token/x', await token())).toBe(200)
  })

  it('is refused when its key was replaced by another of the same name', async () => {
    const text = await token()
    expect(await ask('/token/x', text)).toBe(200)
    const kid = issuer.kid('ES256')
    await issuer.rotate()
    issuer.publish(issuer.keys().map((key) => ({ ...key, kid })))
    expect(await lastYes('/token/x', text, 900)).toBeLessThan(400 + 250)
    issuer.publish(undefined)
  })
})
