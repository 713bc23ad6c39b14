// For whom and until when (T36, T37, T50). Repeats CVE-2026-44459 (hono), CVE-2026-107719 and CVE-2025-30144 (fast-jwt), CVE-2026-28513
// (Pocket ID), tokens of another kind taken for access tokens (RFC 9068, RFC 8725), and bound tokens used as bearer (RFC 9449, RFC 8705).
import { describe, expect, it } from 'vitest'
import { createForge } from './forge.ts'
import { bearer, bytesOf, startTarget } from './target.ts'

const forge = createForge()
const { attack, issuer, token } = await startTarget({ publish: [forge.jwk] })

const now = Math.floor(Date.now() / 1_000)
const send = (text: string, path = '/guarded/x') => attack(bytesOf(`GET ${path}`, [bearer(text), 'Connection: close']))
const HUGE = ['1e400', '1e308', '9007199254740992', '99999999999999', '8640000000001']

/** The claims as JSON text, with one of them replaced by other text; `undefined` leaves it out. */
function payload(name: string, text: string | undefined): string {
  const claims: Record<string, string | undefined> = { iss: JSON.stringify(issuer.url), aud: '"api"', sub: '"alice"', iat: String(now), exp: String(now + 300), [name]: text }
  return `{${Object.entries(claims).flatMap(([key, value]) => (value === undefined ? [] : [`"${key}":${value}`])).join(',')}}`
}

describe('exp', () => {
  it.each([undefined, '0', '-1', '1', String(now - 10), `"${now + 300}"`, 'null', 'true', `[${now + 300}]`, `{"valueOf":${now + 300}}`, '""', '"Infinity"', '-0', '1e-400', ...HUGE, `"1e400"`, String((now + 300) * 1_000_000)])('%s: 401', async (text) => {
    const { statuses, arrived } = await send(forge.token(payload('exp', text)))
    expect(statuses).toEqual([401])
    expect(arrived).toEqual([])
  })

  it.each([String(now + 300), `${now + 300}.5`, `${now + 300}e0`])('%s: 200', async (text) => {
    expect((await send(forge.token(payload('exp', text)))).statuses).toEqual([200])
  })

  it.each(['/optional/x', '/guarded/x'])('that is over is 401 on %s: never anonymous', async (path) => {
    expect((await send(forge.token(payload('exp', String(now - 60))), path)).statuses).toEqual([401])
  })
})

describe.each(['nbf', 'iat'])('%s', (name) => {
  it.each([String(now + 60), `"${now}"`, 'true', `[${now}]`, '{}', '"now"', ...HUGE])('%s: 401', async (text) => {
    expect((await send(forge.token(payload(name, text)))).statuses).toEqual([401])
  })
})

describe('iss and aud', () => {
  const issuers: readonly (readonly [title: string, text: string | undefined, fine: boolean])[] = [
    ['the right one', JSON.stringify(issuer.url), true], ['a list with it', JSON.stringify([issuer.url]), false], ['a slash more', JSON.stringify(`${issuer.url}/`), false], ['upper case', JSON.stringify(issuer.url.toUpperCase()), false], ['a prefix', JSON.stringify(issuer.url.slice(0, -1)), false], ['a longer one', JSON.stringify(`${issuer.url}.evil.test`), false], ['empty', '""', false], ['null', 'null', false], ['absent', undefined, false], ['an object', JSON.stringify({ url: issuer.url }), false], ['with a blank', JSON.stringify(`${issuer.url} `), false],
  ]
  const audiences: readonly (readonly [title: string, text: string | undefined, fine: boolean])[] = [
    ['the right one', '"api"', true], ['a list with it', '["other","api"]', true], ['another', '"other"', false], ['a list of others', '["other"]', false], ['an empty list', '[]', false], ['a prefix', '"ap"', false], ['a longer one', '"api2"', false], ['upper case', '"API"', false], ['empty', '""', false], ['null', 'null', false], ['absent', undefined, false], ['an object', '{"api":true}', false], ['a list in a list', '[["api"]]', false], ['a list with a number', '["api",1]', false], ['blanks', '" api"', false], ['words', '"api other"', false], ['true', 'true', false],
  ]
  it.each(issuers.flatMap((iss) => audiences.filter((aud) => iss[2] || ['the right one', 'another', 'absent'].includes(aud[0])).map((aud) => [iss[0], aud[0], iss, aud] as const)))('iss: %s, aud: %s', async (_iss, _aud, [, iss, goodIss], [, aud, goodAud]) => {
    const claims = { iss, aud, sub: '"alice"', exp: String(now + 300) }
    const text = `{${Object.entries(claims).flatMap(([key, value]) => (value === undefined ? [] : [`"${key}":${value}`])).join(',')}}`
    for (const path of ['/guarded/x', '/optional/x']) expect((await send(forge.token(text), path)).statuses).toEqual([goodIss && goodAud ? 200 : 401])
  })
})

describe('another kind of token', () => {
  it.each<[string, unknown]>([['typ', 'ID'], ['typ', 'Refresh'], ['typ', 'Offline'], ['typ', 'Logout'], ['at_hash', 'x'], ['c_hash', 'x'], ['events', { 'http://schemas.openid.net/event/backchannel-logout': {} }], ['token_use', 'id'], ['cnf', { jkt: 'x' }], ['cnf', { 'x5t#S256': 'x' }], ['cnf', {}], ['cnf', null]])('with %s %j is 401', async (name, value) => {
    expect((await send(await token({ [name]: value }))).statuses).toEqual([401])
  })
})

describe('roles and scopes', () => {
  it.each<[unknown]>([['Admin'], ['ADMIN'], [['user']], [[]], [{}], [{ user: 'admin' }], ['admin '], ['admin,user'], ['user admin'], [[['admin']]], [true], [0], [null], [['admin\0']], ['administrator']])('%j is not the role admin: 403', async (roles) => {
    expect((await send(await token({ roles }), '/admin/x')).statuses).toEqual([403])
  })

  it.each<[unknown]>([['admin'], [['user', 'admin']]])('%j is: 200', async (roles) => {
    expect((await send(await token({ roles }), '/admin/x')).statuses).toEqual([200])
  })

  it('role, scope, user_metadata and the prototype give no role', async () => {
    for (const claims of [{ role: 'admin' }, { scope: 'admin' }, { user_metadata: { roles: ['admin'] } }, { 'roles ': 'admin' }, { Roles: 'admin' }]) expect((await send(await token(claims), '/admin/x')).statuses).toEqual([403])
    expect((await send(forge.token(`${payload('x', '1').slice(0, -1)},"__proto__":{"roles":["admin"]}}`), '/admin/x')).statuses[0]).toBeGreaterThanOrEqual(401)
  })
})
