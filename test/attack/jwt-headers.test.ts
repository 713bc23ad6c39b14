// What a token says about its own key (T34, T35, T41). Repeats CVE-2018-0114 (node-jose), GHSA-993g-76c3-p5m4 (PyJWKClient),
// CVE-2026-35042 (fast-jwt), CVE-2026-32597 (PyJWT), CVE-2025-59420 (Authlib), CVE-2026-89317 (gose), and the kid tricks of jwt_tool.
import { afterAll, describe, expect, it } from 'vitest'
import { startRawUpstream } from '../support/raw-socket.ts'
import { createForge } from './forge.ts'
import { bearer, bytesOf, startTarget } from './target.ts'

const [forge, mallory] = [createForge(), createForge('ES256', 'mallory')]
const catcher = await startRawUpstream((socket) => socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${JSON.stringify({ keys: [mallory.jwk] })}`))
afterAll(() => catcher.close())
const { attack, issuer } = await startTarget({ publish: [forge.jwk] })

const now = Math.floor(Date.now() / 1_000)
const claims = { iss: issuer.url, aud: 'api', sub: 'root', iat: now, exp: now + 300 }
const send = async (token: string) => attack(bytesOf('GET /guarded/x', [bearer(token), 'Connection: close']))
const url = `http://127.0.0.1:${catcher.port}/keys`

describe('a key that the token brings along', () => {
  const carried: readonly (readonly [title: string, header: Readonly<Record<string, unknown>>])[] = [
    ['jwk', { jwk: mallory.jwk }], ['jwk and its kid', { jwk: mallory.jwk, kid: 'mallory' }], ['jwk under a known kid', { jwk: mallory.jwk, kid: forge.jwk.kid }], ['jku', { jku: url, kid: 'mallory' }], ['jku under a known kid', { jku: url, kid: forge.jwk.kid }], ['x5u', { x5u: url, kid: 'mallory' }], ['x5c', { x5c: ['MIIB'] }], ['x5t', { x5t: 'AAAA', 'x5t#S256': 'AAAA' }],
    ['jku with the issuer in front', { jku: `${issuer.url}@127.0.0.1:${catcher.port}/keys`, kid: 'mallory' }], ['jku in a file', { jku: 'file:///dev/null', kid: 'mallory' }], ['jku in a data URL', { jku: `data:application/json,${JSON.stringify({ keys: [mallory.jwk] })}`, kid: 'mallory' }], ['kid as a URL', { kid: url }], ['everything', { jwk: mallory.jwk, jku: url, x5u: url, x5c: [url], kid: url, iss: url }],
  ]
  it.each(carried)('%s: 401, and nobody is asked', async (_title, header) => {
    const { statuses, arrived } = await send(mallory.token(claims, { alg: 'ES256', ...header }))
    expect(statuses).toEqual([401])
    expect(arrived).toEqual([])
    expect(catcher.received).toEqual([])
  })

  it.each(carried.filter(([title]) => title !== 'kid as a URL').map(([title, header]) => [title, { ...header, kid: forge.jwk.kid }] as const))('%s in a token of a good key is not read: 200, and nobody is asked', async (_title, header) => {
    expect((await send(forge.token(claims, { alg: 'ES256', ...header }))).statuses).toEqual([200])
    expect(catcher.received).toEqual([])
  })

  it('an issuer of its own: 401, and nobody is asked', async () => {
    expect((await send(mallory.token({ ...claims, iss: url }))).statuses).toEqual([401])
    expect(catcher.received).toEqual([])
  })
})

describe('kid', () => {
  it.each<[unknown]>([['__proto__'], ['constructor'], ['toString'], ['hasOwnProperty'], ['../../../../dev/null'], ['/dev/null'], ['/proc/sys/kernel/randomize_va_space'], ["' OR 1=1 --"], ["x' UNION SELECT 'a"], ['|sleep 5'], ['${jndi:ldap://127.0.0.1/a}'], [''], [' '], [`${forge.jwk.kid} `], [String(forge.jwk.kid).toUpperCase()], [`${forge.jwk.kid}\0`], ['x'.repeat(257)], ['x'.repeat(5_000)], [0], [1], [null], [true], [['forged-es256']], [{ kid: 'forged-es256' }], ['\u202e652se-degrof'], ['http://127.0.0.1/']])('%j is only a name that nobody has: 401', async (kid) => {
    for (const key of [forge, mallory]) {
      const { statuses, arrived } = await send(key.token(claims, { alg: 'ES256', kid }))
      expect(statuses).toEqual([401])
      expect(arrived).toEqual([])
    }
  })

  it('absent, with several keys that could fit, is tried with them alone', async () => {
    expect((await send(forge.token(claims, { alg: 'ES256' }))).statuses).toEqual([200])
    expect((await send(mallory.token(claims, { alg: 'ES256' }))).statuses).toEqual([401])
  })

  it('a hundred unknown ones ask the issuer for its keys at most once more', async () => {
    const before = issuer.requests.jwks
    for (let nth = 0; nth < 100; nth += 1) expect((await send(mallory.token(claims, { alg: 'ES256', kid: `unknown-${nth}` }))).statuses).toEqual([401])
    expect(issuer.requests.jwks - before).toBeLessThanOrEqual(1)
  })
})

describe('an extension that must be understood', () => {
  it.each<[unknown]>([[['x']], [[]], ['exp'], [['exp']], [['b64']], [['alg']], [['kid', 'kid']], [null], [0], [{}], [['http://example.test/UNDEFINED']], [[1]]])('crit %j: 401', async (crit) => {
    expect((await send(forge.token(claims, { alg: 'ES256', kid: forge.jwk.kid, crit, x: 1, exp: 1 }))).statuses).toEqual([401])
  })

  it.each([false, true, 'false', null])('b64 %j: 401, critical or not', async (b64) => {
    for (const crit of [{}, { crit: ['b64'] }]) expect((await send(forge.token(claims, { alg: 'ES256', kid: forge.jwk.kid, b64, ...crit }))).statuses).toEqual([401])
  })

  it.each([['zip', 'DEF'], ['enc', 'A256GCM'], ['p2c', 2e9], ['cty', 'JWT'], ['epk', {}]])('%s without crit changes nothing about what was signed', async (name, value) => {
    expect([200, 401]).toContain((await send(forge.token(claims, { alg: 'ES256', kid: forge.jwk.kid, [name]: value }))).statuses[0])
    expect((await send(mallory.token(claims, { alg: 'ES256', kid: forge.jwk.kid, [name]: value }))).statuses).toEqual([401])
  })
})

describe('typ', () => {
  it.each<[unknown, number]>([['JWT', 200], ['jwt', 200], ['at+jwt', 200], ['AT+JWT', 200], ['application/at+jwt', 200], [undefined, 200], ['dpop+jwt', 401], ['logout+jwt', 401], ['secevent+jwt', 401], ['id_token', 401], ['refresh', 401], ['Refresh', 401], ['token-introspection+jwt', 401], [null, 401], [1, 401], [['at+jwt'], 401], ['application/logout+jwt', 401]])('%j is %i', async (typ, status) => {
    expect((await send(forge.token(claims, { alg: 'ES256', kid: forge.jwk.kid, ...(typ === undefined ? {} : { typ }) }))).statuses).toEqual([status])
  })

  it('twice, or alg twice: 401, since two readers would take two', async () => {
    for (const header of [`{"alg":"ES256","kid":"${forge.jwk.kid}","alg":"none"}`, `{"alg":"none","kid":"${forge.jwk.kid}","alg":"ES256"}`, `{"alg":"ES256","kid":"x","kid":"${forge.jwk.kid}"}`, `{"alg":"ES256","a\\u006cg":"none","kid":"${forge.jwk.kid}"}`]) {
      expect((await send(forge.token(claims, header))).statuses).toEqual([401])
    }
  })
})
