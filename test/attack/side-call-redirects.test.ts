// Credentials that leave for another host (T7, T64). Repeats CVE-2026-41181 (Traefik), CVE-2023-45143 (undici) and GHSA-g53w (Kuadrant):
// no call of ours follows a redirect, whoever answers with one.
import { afterAll, describe, expect, it } from 'vitest'
import { raw, startAnswering } from '../support/answering.ts'
import { bearer, bytesOf, startTarget } from './target.ts'

const [elsewhere, introspection, remote] = [await startAnswering(), await startAnswering(), await startAnswering()]
afterAll(async () => void (await Promise.all([elsewhere, introspection, remote].map(({ close }) => close()))))

const { attack, secrets, issuer } = await startTarget({
  config: ({ standard, issuer: known }) => ({
    authenticators: {
      token: { type: 'jwt', issuer: known.url, audience: ['api'], jwks_url: known.jwksUrl, jwks: { cooldown: '1ms' } },
      asked: { type: 'introspection', url: `${introspection.url}/introspect`, client_id: 'postern', client_secret: 'secret-of-the-sidecar' },
      checked: { type: 'remote', url: `${remote.url}/check`, in: [{ header: 'X-Session' }], map: { subject: '/id' } },
    },
    routes: [
      { match: { path: '/token/**' }, auth: ['token'] },
      { match: { path: '/asked/**' }, auth: ['asked'] },
      { match: { path: '/checked/**' }, auth: ['checked'] },
    ],
    identity: standard['identity'],
  }),
})

const STATUSES = [301, 302, 303, 307, 308]
const LOCATIONS: readonly (readonly [title: string, location: string])[] = [
  ['another port', `${elsewhere.url}/catch`], ['a relative path', '/again'], ['another scheme', 'file:///etc/hostname'], ['the metadata service', 'http://169.254.169.254/latest'],
]
secrets.add('opaque-token-123456').add('session-value-654321').add('secret-of-the-sidecar')

describe.each(LOCATIONS)('a redirect to %s', (_title, location) => {
  it.each(STATUSES)('with %i from the introspection endpoint is not followed: 503', async (status) => {
    introspection.answer(raw(status, '{"active":true,"sub":"root"}', { location, 'content-type': 'application/json' }))
    const before = introspection.seen.length
    const { statuses, arrived } = await attack(bytesOf('GET /asked/x', [bearer('opaque-token-123456'), 'Connection: close']))
    expect(statuses).toEqual([503])
    expect(arrived).toEqual([])
    expect(introspection.seen.length).toBe(before + 1)
  })

  it.each(STATUSES)('with %i from the remote check is not followed: 503', async (status) => {
    remote.answer(raw(status, '{"id":"root"}', { location, 'content-type': 'application/json' }))
    const before = remote.seen.length
    const { statuses } = await attack(bytesOf('GET /checked/x', ['X-Session: session-value-654321', 'Connection: close']))
    expect(statuses).toEqual([503])
    expect(remote.seen.length).toBe(before + 1)
  })
})

it('a redirect from the key set is not followed: 503, since nobody could check', async () => {
  issuer.behave('redirect')
  const { statuses } = await attack(bytesOf('GET /token/x', [bearer(await issuer.mint({}, { kid: 'unseen' })), 'Connection: close']))
  issuer.behave('ok')
  expect(statuses).toEqual([503])
  expect(issuer.requests.redirected).toBe(0)
})

it('nobody was sent anywhere', () => {
  expect(elsewhere.seen).toEqual([])
})

it('credentials go into the body of the one configured endpoint, never into a URL', () => {
  for (const { target, body } of introspection.seen) {
    expect(target).toBe('/introspect')
    expect(body).toContain('opaque-token-123456')
  }
})
