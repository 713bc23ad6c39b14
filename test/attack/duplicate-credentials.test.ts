// Credentials that are said twice, or in places where nobody should look (T6). Repeats finding F7 (Node keeps the first of two
// Authorization lines, Hono joins them), RFC 6750 section 2 and 2.3, and the flattening of oauth2-proxy.
import { describe, expect, it } from 'vitest'
import { bearer, bytesOf, KEY, OTHER_KEY, startTarget } from './target.ts'

const { attack, token } = await startTarget({
  config: ({ standard, issuer }) => ({
    authenticators: { ...(standard['authenticators'] as object), token: { type: 'jwt', issuer: issuer.url, audience: ['api'], jwks_url: issuer.jwksUrl, in: [{ bearer: true }, { cookie: 'session' }] } },
  }),
})

const good = await token()
const other = await token({ sub: 'mallory' })
const GARBAGE = 'Authorization: Bearer x.y.z'

const ambiguous: readonly (readonly [title: string, lines: readonly string[]])[] = [
  ['two Authorization lines, good first', [bearer(good), GARBAGE]],
  ['two Authorization lines, good last', [GARBAGE, bearer(good)]],
  ['the same Authorization line twice', [bearer(good), bearer(good)]],
  ['two good Authorization lines of two people', [bearer(good), bearer(other)]],
  ['Authorization lines in two cases', [bearer(good), `AUTHORIZATION: Bearer ${other}`]],
  ['Authorization, and an empty one', ['Authorization:', bearer(good)]],
  ['Bearer beside Basic', [bearer(good), 'Authorization: Basic cm9vdDpyb290']],
  ['two API keys, good first', [`X-API-Key: ${KEY}`, 'X-API-Key: x']],
  ['two API keys, good last', ['X-API-Key: x', `X-API-Key: ${KEY}`]],
  ['two good API keys', [`X-API-Key: ${KEY}`, `x-api-key: ${OTHER_KEY}`]],
  ['two cookies of one name', [`Cookie: session=${good}; session=${other}`]],
  ['one cookie twice', [`Cookie: session=${good}; a=b; session=${good}`]],
  ['two Cookie lines with one name', [`Cookie: session=${good}`, `Cookie: session=x`]],
]

describe('what two readers would read differently', () => {
  it.each(ambiguous)('%s: 400 on a guarded and on an optional route, and nothing arrives', async (_title, lines) => {
    const guarded = await attack(bytesOf('GET /guarded/x', [...lines, 'Connection: close']))
    expect(guarded.statuses).toEqual([400])
    expect(guarded.arrived).toEqual([])
    if (lines.some((line) => line.toLowerCase().startsWith('x-api-key'))) return
    expect((await attack(bytesOf('GET /optional/x', [...lines, 'Connection: close']))).statuses).toEqual([400])
  })
})

describe('what somebody joined', () => {
  it.each([`Bearer ${good}, Bearer ${other}`, `Bearer ${good},${other}`, `Bearer ${good} ${other}`, `Bearer ${good}\t`, `Bearer\t${good}`, `Bearer: ${good}`, `Bearer,${good}`])('case %# is never an identity but for blanks at the end', async (value) => {
    const { statuses, arrived } = await attack(bytesOf('GET /guarded/x', [`Authorization: ${value}`, 'Connection: close']))
    if (value.endsWith('\t')) expect(statuses).toEqual([200])
    else {
      expect(statuses).toEqual([401])
      expect(arrived).toEqual([])
    }
  })

  it.each([`${KEY}, ${OTHER_KEY}`, `${KEY},${OTHER_KEY}`, `${KEY} ${OTHER_KEY}`, `"${KEY}"`, `${KEY}\u0000`, `${KEY};`])('API keys, case %#', async (value) => {
    const { arrived, statuses } = await attack(bytesOf('GET /guarded/x', [`X-API-Key: ${value}`, 'Connection: close']))
    expect([400, 401]).toContain(statuses[0])
    expect(arrived).toEqual([])
  })
})

describe('places where nobody looks', () => {
  it.each([['?access_token=', '/guarded/x'], ['?token=', '/guarded/x'], ['?api_key=', '/guarded/x'], ['?x-api-key=', '/guarded/x']])('%s in the query proves nothing', async (parameter, path) => {
    const secret = parameter.includes('key') ? KEY : good
    expect((await attack(bytesOf(`GET ${path}${parameter}${secret}`, ['Connection: close']))).statuses).toEqual([401])
  })

  it.each(['access_token', 'token', 'api_key', 'apikey'])('beside a good credential %s of somebody else changes nothing: there is one method, and the query is none', async (parameter) => {
    const outcome = await attack(bytesOf(`GET /guarded/x?${parameter}=${other}`, [bearer(good), 'Connection: close']))
    expect(outcome.statuses).toEqual([200])
    expect(outcome.arrived).toHaveLength(1)
    expect((await attack(bytesOf(`GET /guarded/x?${parameter}=${good}`, [GARBAGE, 'Connection: close']))).statuses).toEqual([401])
  })

  it('a form body proves nothing', async () => {
    const body = `access_token=${good}`
    expect((await attack(bytesOf('POST /guarded/x', ['Content-Type: application/x-www-form-urlencoded', `Content-Length: ${body.length}`], body))).statuses).toEqual([401])
  })

  it.each(['Session', 'session ', 'SESSION', '__Host-session', 'session.0'])('a cookie called %j is not the cookie "session"', async (name) => {
    expect((await attack(bytesOf('GET /guarded/x', [`Cookie: ${name}=${good}`, 'Connection: close']))).statuses).toEqual([401])
  })
})

describe('the credential that was read', () => {
  it('does not reach the upstream, nor does one that was not looked at', async () => {
    const { arrived } = await attack(bytesOf('GET /guarded/x', [bearer(good), `X-API-Key: ${OTHER_KEY}`, `Cookie: session=${other}; theme=dark`, 'Connection: close']))
    expect(arrived).toHaveLength(1)
    const text = JSON.stringify(arrived[0]!.headers)
    for (const secret of [good, other, OTHER_KEY]) expect(text).not.toContain(secret)
    expect(text).toContain('theme=dark')
  })
})
