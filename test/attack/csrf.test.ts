// Requests that a browser makes for somebody else's page (T60, T14). Repeats CVE-2023-45128 and CVE-2023-45141 (Fiber), the form posts that
// need no preflight, and cross-site WebSocket hijacking.
import { describe, expect, it } from 'vitest'
import { bearer, bytesOf, HANDSHAKE, startTarget } from './target.ts'

const { attack, token } = await startTarget({
  config: ({ issuer, standard }) => ({
    authenticators: { ...(standard['authenticators'] as object), token: { type: 'jwt', issuer: issuer.url, audience: ['api'], jwks_url: issuer.jwksUrl, in: [{ cookie: 'session' }, { bearer: true }] } },
    csrf: { origins: ['https://trusted.test'] },
  }),
})
const text = await token()
const cookie = `Cookie: session=${text}`
const post = async (lines: readonly string[], method = 'POST'): Promise<number> => (await attack(bytesOf(`${method} /guarded/x`, [...lines, 'Content-Length: 0', 'Connection: close']))).statuses[0]!

const FOREIGN = [
  ['Origin: https://evil.test'], ['Origin: null'], ['Origin: http://api.test.evil.test'], ['Origin: https://api.test'], ['Origin: http://api.test:8080'], ['Origin: http://API.test'], ['Origin: http://api.test/'], ['Origin: http://api.test, https://evil.test'], ['Origin:'], ['Origin: http://api.test', 'Origin: https://evil.test'], ['Origin: https://trusted.test.evil.test'], ['Origin: http://trusted.test'], ['Origin: https://trusted.test:443'],
  ['Sec-Fetch-Site: cross-site'], ['Sec-Fetch-Site: same-site'], ['Sec-Fetch-Site: SAME-ORIGIN'], ['Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: cross-site'], ['Sec-Fetch-Site: '], ['Sec-Fetch-Site: same-origin, none'], ['Origin: https://evil.test', 'Sec-Fetch-Site: same-origin'], ['Origin: https://evil.test', 'X-Forwarded-Host: evil.test', 'X-Forwarded-Proto: https'], ['Origin: https://evil.test', 'X-HTTP-Method-Override: GET'],
]
const OWN = [['Origin: http://api.test'], ['Origin: https://trusted.test'], ['Sec-Fetch-Site: same-origin'], ['Sec-Fetch-Site: none'], ['Origin: http://api.test', 'Sec-Fetch-Site: same-origin'], []]

describe.each(['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'PURGE'])('%s with a session cookie', (method) => {
  it.each(FOREIGN.map((lines) => [lines.join(' | '), lines] as const))('from %s: 403', async (_title, lines) => {
    expect(await post([cookie, ...lines], method)).toBe(403)
  })

  it.each(OWN.map((lines) => [lines.join(' | ') || 'no page', lines] as const))('from %s: 200', async (_title, lines) => {
    expect(await post([cookie, ...lines], method)).toBe(200)
  })
})

describe.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/json', 'application/csp-report'])('a cross-site post of %s', (type) => {
  it('is 403', async () => {
    expect(await post([cookie, 'Origin: https://evil.test', `Content-Type: ${type}`])).toBe(403)
  })
})

describe('what no browser does by itself', () => {
  it('a bearer token may come from anywhere', async () => {
    expect(await post([bearer(text), 'Origin: https://evil.test'])).toBe(200)
  })

  it.each([[cookie, bearer('')], [cookie, 'Authorization: Bearer'], [cookie, 'Authorization:']])('but an empty one beside the cookie does not excuse it, case %#', async (...lines) => {
    expect(await post([...lines, 'Origin: https://evil.test'])).toBe(403)
  })
})

describe('a WebSocket with a session cookie', () => {
  it.each(FOREIGN.map((lines) => [lines.join(' | '), lines] as const))('from %s: 403, before the upstream hears of it', async (_title, lines) => {
    const { statuses, arrived } = await attack(bytesOf('GET /guarded/ws', [...HANDSHAKE, cookie, ...lines]), { answers: Infinity })
    expect(statuses).toEqual([403])
    expect(arrived).toEqual([])
  })

  it('from this API\'s own page is passed on', async () => {
    expect((await attack(bytesOf('GET /guarded/ws', [...HANDSHAKE, cookie, 'Origin: http://api.test']), { answers: Infinity })).arrived).toHaveLength(1)
  })
})
