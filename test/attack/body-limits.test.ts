// Bodies that are too much (T53). Repeats CVE-2026-44456 (hono, a limit that chunks walk around) and CVE-2026-84364, lengths that lie
// (RFC 9110 section 8.6), and bodies that a judge and an upstream would read differently.
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { bearer, bytesOf, SMUGGLED, startTarget } from './target.ts'

const { attack, token } = await startTarget({
  config: ({ standard }) => ({
    max_body: '1000',
    routes: [
      ...(standard['routes'] as object[]), { match: { path: '/small/**' }, auth: 'none', max_body: '10' },
      { match: { path: '/judged/**' }, auth: 'none', body: { max_bytes: 100, grant_types: ['password'], content_types: ['application/json', 'application/x-www-form-urlencoded'] } },
    ],
  }),
})
const good = bearer(await token())
const CHUNKED = 'Transfer-Encoding: chunked'
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`

describe.each([['/guarded/x', 1_000], ['/small/x', 10]])('%s takes %i bytes', (path, limit) => {
  it('and no more by length: 413, before the upstream hears of it, and the body is not read as a request', async () => {
    for (const length of [limit + 1, limit * 1_000, 999_999_999_999_999]) {
      const { statuses, answers, connections } = await attack(bytesOf(`POST ${path}`, [good, `Content-Length: ${length}`], SMUGGLED), { answers: Infinity, mayStayBehind: true })
      expect(statuses).toEqual([413])
      expect(answers[0]?.closed).toBe(true)
      expect(connections).toBe(0)
    }
  })

  it('and no more in chunks, however they are cut: 413, and the upstream never sees the end', async () => {
    for (const size of [1, 7, limit + 1]) {
      const body = Array.from({ length: Math.ceil((limit + 1) / size) }, () => chunk('x'.repeat(size))).join('')
      const { statuses, arrived } = await attack(bytesOf(`POST ${path}`, [good, CHUNKED], `${body}0\r\n\r\n${SMUGGLED}`), { answers: 2, mayStayBehind: true, timeoutMs: 1_000 })
      // Where the end of the body is known, what follows is a request of its own, and refused as one.
      expect([[413], [413, 401]]).toContainEqual(statuses)
      expect(arrived).toEqual([])
    }
  })

  it('exactly that many pass, in both framings', async () => {
    for (const [framing, body] of [[`Content-Length: ${limit}`, 'x'.repeat(limit)], [CHUNKED, `${chunk('x'.repeat(limit))}0\r\n\r\n`]] as const) {
      const { statuses, arrived } = await attack(bytesOf(`POST ${path}`, [good, framing, 'Connection: close'], body))
      expect(statuses).toEqual([200])
      expect(arrived[0]!.body.length).toBe(limit)
    }
  })

  it('chunk extensions do not count as room', async () => {
    const { statuses, arrived } = await attack(bytesOf(`POST ${path}`, [good, CHUNKED], `1;${'e'.repeat(20_000)}\r\nx\r\n0\r\n\r\n`), { answers: Infinity, mayStayBehind: true })
    expect(statuses.filter((status) => status < 400)).toEqual([])
    expect(arrived).toEqual([])
  })
})

describe('a length that lies', () => {
  it('too short: what is left is a request of its own, judged on its own', async () => {
    const { statuses, arrived } = await attack(bytesOf('POST /guarded/x', [good, 'Content-Length: 3'], `abc${SMUGGLED}`) + bytesOf('GET /nowhere', ['Connection: close']), { answers: 3 })
    expect(statuses).toEqual([200, 401, 404])
    expect(arrived.map(({ target }) => target)).toEqual(['/guarded/x'])
  })

  it('too long: the upstream never gets a whole request', async () => {
    const { statuses, arrived } = await attack(bytesOf('POST /guarded/x', [good, 'Content-Length: 50'], 'abc'), { answers: Infinity, mayStayBehind: true, timeoutMs: 4_000 })
    expect(statuses).toEqual([408])
    expect(arrived).toEqual([])
  })
})

describe('a body that is judged', () => {
  const judged = (type: string, body: string, ...more: readonly string[]) => attack(bytesOf('POST /judged/x', [`Content-Type: ${type}`, `Content-Length: ${body.length}`, ...more, 'Connection: close'], body), { answers: Infinity })
  it.each([
    ['application/json', '{"grant_type":"password"}', 200], ['application/x-www-form-urlencoded', 'grant_type=password', 200],
    ['application/json', '{"grant_type":"password","grant_type":"implicit"}', 400], ['application/json', '{"grant_type":"password","grant\\u005ftype":"implicit"}', 400], ['application/x-www-form-urlencoded', 'grant_type=password&grant_type=implicit', 400], ['application/x-www-form-urlencoded', 'grant_type=password&grant%5Ftype=implicit', 400], ['application/json', '{"grant_type":["password"]}', 403], ['application/json', '{"grant_type":"Password"}', 403], ['application/json', '{"__proto__":{"grant_type":"password"}}', 403], ['application/json', '[]', 403],
    ['application/json', `{"grant_type":"password","x":${'['.repeat(40)}${']'.repeat(40)}}`, 413], ['application/json', `{"x":${'['.repeat(33)}${']'.repeat(33)}}`, 400], ['application/json', '{"grant_type":"password"', 400], ['application/json', '\u00ef\u00bb\u00bf{"grant_type":"password"}', 400], ['application/json', '{"grant_type":"\u00c0\u00ae"}', 400], ['application/json; charset=utf-16', '{"grant_type":"password"}', 400], ['application/json; charset="utf-7"', '{}', 400], ['text/plain', '{"grant_type":"password"}', 400], ['multipart/form-data; boundary=x', 'grant_type=password', 400], ['application/json, text/plain', '{"grant_type":"password"}', 400], ['', 'grant_type=password', 400],
    ['application/json', `{"grant_type":"password","x":"${'y'.repeat(100)}"}`, 413],
  ])('as %s: %s is %i', async (type, body, status) => {
    const { statuses, arrived } = await judged(type, body)
    expect([status, ...(status === 413 ? [400] : []), ...(status === 400 ? [403, 415] : [])]).toContain(statuses[0])
    expect(arrived.length).toBe(status === 200 ? 1 : 0)
  })

  it('in a coding is refused, since it would be judged in one form and understood in another', async () => {
    const body = gzipSync('{"grant_type":"password"}').toString('latin1')
    for (const coding of ['gzip', 'br', 'deflate', 'x-gzip', 'identity, gzip', 'GZIP']) expect((await judged('application/json', body, `Content-Encoding: ${coding}`)).statuses[0]).toBeGreaterThanOrEqual(400)
  })

  it('in chunks, beyond its limit: 413 and nothing arrives', async () => {
    const { statuses, arrived } = await attack(bytesOf('POST /judged/x', ['Content-Type: application/json', CHUNKED], `${chunk('x'.repeat(60))}${chunk('x'.repeat(60))}0\r\n\r\n`), { answers: Infinity })
    expect(statuses).toEqual([413])
    expect(arrived).toEqual([])
  })

  it('with two content types is refused or read as one of them by both', async () => {
    const { arrived, statuses } = await judged('application/json', 'grant_type=password', 'Content-Type: application/x-www-form-urlencoded')
    expect(statuses[0]).toBeGreaterThanOrEqual(400)
    expect(arrived).toEqual([])
  })

  it('with two grant types in query and body is refused', async () => {
    const body = 'grant_type=password'
    const { statuses } = await attack(bytesOf('POST /judged/x?grant_type=implicit', ['Content-Type: application/x-www-form-urlencoded', `Content-Length: ${body.length}`, 'Connection: close'], body))
    expect(statuses).toEqual([403])
  })
})
