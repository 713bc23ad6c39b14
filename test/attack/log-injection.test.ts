// What ends up in a log (T58; I9). Repeats CVE-2025-25294 (Envoy Gateway, injected lines), CVE-2026-48615 (Node, credentials in errors),
// GHSA-xr7q-jx4m-x55m (gRPC), terminal escapes and bidirectional text. After each payload every line of log and audit is one JSON object
// without control characters, and none has a credential that was ever sent; the last test looks once more at everything.
import { afterAll, describe, expect, it } from 'vitest'
import { raw, startAnswering } from '../support/answering.ts'
import { base64url, createForge } from './forge.ts'
import { bearer, bytesOf, HANDSHAKE, KEY, startTarget } from './target.ts'

const forge = createForge()
const authority = await startAnswering(raw(500, '{"error":"the token was SECRET-IN-AN-ANSWER"}'))
afterAll(() => authority.close())
const { attack, issuer, attacked, token, secrets } = await startTarget({
  publish: [forge.jwk],
  config: ({ standard }) => ({
    authenticators: { ...(standard['authenticators'] as object), asked: { type: 'introspection', url: `${authority.url}/introspect`, client_id: 'postern', client_secret: 'SECRET-OF-THE-SIDECAR' } },
    routes: [...(standard['routes'] as object[]), { match: { path: '/asked/**' }, auth: ['asked'] }, { match: { path: '/told/**' }, auth: 'none', request_headers: { set: { 'X-Internal': 'SECRET-OF-THE-ROUTE' } } }],
  }),
})
const SECRET = 'SECRET-0123456789'
for (const secret of [SECRET, 'SECRET-IN-AN-ANSWER', 'SECRET-OF-THE-SIDECAR', 'SECRET-OF-THE-ROUTE']) secrets.add(secret).add(base64url(secret)).add(Buffer.from(secret).toString('base64'))

const NASTY = ['\u001b[2J\u001b[31mred', '\u2028new line', '\u2029new paragraph', '\u202egnp.exe', '\u200bhidden', '"}\n{"event.outcome":"success"', '"},{"x":"', '%0d%0a{"forged":true}', '${jndi:ldap://127.0.0.1/a}', '\\u000a\\u000a', '\u0085next', '\u009b31m', '<script>alert(1)</script>', '%s%n%x', '\ufeff', 'x'.repeat(7_000), '\u0000', '\r\nfake: line', '😀', '\ud800']
const claims = (more: object) => ({ iss: issuer.url, aud: 'api', sub: 'alice', exp: Math.floor(Date.now() / 1_000) + 300, ...more })
const utf8 = (text: string): string => Buffer.from(text).toString('latin1')

describe.each(NASTY.map((text) => [text.length > 40 ? `${text.slice(0, 10)}…` : text, text] as const))('%j', (_title, text) => {
  it('in a token stays within its line', async () => {
    for (const header of [{ alg: 'ES256', kid: text }, { alg: text, kid: forge.jwk.kid }, { alg: 'ES256', kid: forge.jwk.kid, typ: text }]) await attack(bytesOf('GET /guarded/x', [bearer(forge.token(claims({}), header)), 'Connection: close']), { mayStayBehind: true })
    for (const more of [{ sub: text }, { jti: text }, { iss: text }, { aud: text }, { email: text }, { roles: [text] }, { exp: text }]) await attack(bytesOf('GET /guarded/x', [bearer(forge.token(claims(more))), 'Connection: close']), { mayStayBehind: true })
  })

  it('in a head stays within its line, or is refused', async () => {
    const line = utf8(text).replaceAll(/[\r\n]/g, ' ')
    for (const name of ['User-Agent', 'X-Request-Id', 'traceparent', 'Origin', 'Referer', 'Cookie', 'Authorization', 'X-API-Key', 'X-Forwarded-For', 'Host', 'Connection', 'Expect', 'Transfer-Encoding', 'X-Whatever']) {
      const { statuses } = await attack(bytesOf('GET /guarded/x', name === 'Host' ? [`Host: ${line}`] : [`${name}: ${line}`]), { mayStayBehind: true })
      expect(statuses[0]).toBeGreaterThanOrEqual(400)
    }
    for (const target of [`/public/${encodeURIComponent(text.isWellFormed() ? text : 'x')}`, `/public/${line}`, `/public/x?${line}`]) await attack(`GET ${target} HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n`, { mayStayBehind: true, answers: Infinity })
  })
})

describe('a credential', () => {
  const places: readonly (readonly [title: string, bytes: () => string])[] = [
    ['in a query that is allowed', () => bytesOf(`GET /public/x?token=${SECRET}&access_token=${SECRET}`, ['Connection: close'])], ['in a query that is refused', () => bytesOf(`GET /guarded/x?api_key=${SECRET}`, ['Connection: close'])], ['in a query behind a refused path', () => bytesOf(`GET /public/../x?token=${SECRET}`)], ['in a target behind a fragment', () => bytesOf(`GET /public/x?a#access_token=${SECRET}`)], ['as bearer', () => bytesOf('GET /guarded/x', [bearer(SECRET), 'Connection: close'])], ['as bearer of an opaque token that could not be checked', () => bytesOf('GET /asked/x', [bearer(SECRET), 'Connection: close'])], ['as Basic', () => bytesOf('GET /guarded/x', [`Authorization: Basic ${Buffer.from(`a:${SECRET}`).toString('base64')}`, 'Connection: close'])],
    ['as key', () => bytesOf('GET /guarded/x', [`X-API-Key: ${SECRET}`, 'Connection: close'])], ['as two keys', () => bytesOf('GET /guarded/x', [`X-API-Key: ${SECRET}`, `X-API-Key: ${KEY}`, 'Connection: close'])], ['as cookie', () => bytesOf('GET /guarded/x', [`Cookie: session=${SECRET}`, 'Connection: close'])], ['in a forwarded field', () => bytesOf('GET /public/x', [`X-Forwarded-Access-Token: ${SECRET}`, 'Connection: close'])], ['in a second spelling', () => bytesOf('GET /guarded/x', [`X_API_Key: ${SECRET}`, 'Connection: close'])], ['in a Connection', () => bytesOf('GET /guarded/x', [`Connection: ${SECRET}, x-user-id`])], ['in an expectation', () => bytesOf('GET /guarded/x', [`Expect: ${SECRET}`])],
    ['in a handshake', () => bytesOf('GET /guarded/x', [...HANDSHAKE, bearer(SECRET)])], ['in a protocol of a handshake', () => bytesOf('GET /guarded/x', [...HANDSHAKE, `Sec-WebSocket-Protocol: bearer, ${SECRET}`])], ['in a body', () => bytesOf('POST /guarded/x', [`Content-Length: ${SECRET.length}`], SECRET)], ['in a line that is no header', () => bytesOf('GET /guarded/x', [SECRET])], ['in a name', () => bytesOf('GET /guarded/x', [`${SECRET} : x`])], ['of the route', () => bytesOf('GET /told/x', ['Connection: close'])], ['with an upstream that is gone', () => bytesOf(`GET /gone/x?token=${SECRET}`, [bearer(SECRET), 'Connection: close'])], ['in a method', () => `${SECRET} /public/x HTTP/1.1\r\nHost: api.test\r\n\r\n`],
  ]
  it.each(places)('%s is in no line and in no answer', async (_title, bytes) => {
    const { answers } = await attack(bytes(), { answers: Infinity, mayStayBehind: true, timeoutMs: 1_500 })
    for (const { status, raw: text } of answers) if (status >= 400) expect(text).not.toContain(SECRET)
  })

  it('that is good is in no line either', async () => {
    const text = await token()
    for (const line of [bearer(text), `X-API-Key: ${KEY}`]) expect((await attack(bytesOf('GET /guarded/x', [line, 'Connection: close']))).statuses).toEqual([200])
  })
})

it('after all of it: no line, no metric and no notice has one of them', async () => {
  const metrics = JSON.stringify(await attacked.metrics.expose())
  const all = [...attacked.lines, metrics, JSON.stringify(attacked.events.noticed)].join('\n')
  expect(attacked.lines.length).toBeGreaterThan(300)
  for (const secret of secrets) expect(all.includes(secret)).toBe(false)
  for (const line of attacked.lines) expect(line.length).toBeLessThan(10_000)
})
