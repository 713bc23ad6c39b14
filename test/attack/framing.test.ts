// Where a message ends (T9, T10, T11, T16). Repeats CVE-2019-15605, CVE-2021-22959, CVE-2021-22960, CVE-2022-32213, CVE-2022-32214,
// CVE-2022-32215, CVE-2022-35256, CVE-2023-30589, CVE-2024-27982, CVE-2025-23167 and CVE-2026-58044 (Node), CVE-2021-40346 and
// CVE-2023-25725 (HAProxy), CVE-2026-24033 and CVE-2026-111809 (ATS), CVE-2026-54388 (Tinyproxy), CVE-2026-1525 (undici),
// CVE-2026-29057 (Next.js; findings F1 and F3), and the classes of the HTTP Garden and of http-desync-guardian.
import { describe, expect, it } from 'vitest'
import { bearer, bytesOf, chunked, SMUGGLED, startTarget } from './target.ts'

const { attack, token } = await startTarget()
const good = bearer(await token())

const CHUNKED = 'Transfer-Encoding: chunked'
const LAST = '0\r\n\r\n'
const refused: readonly (readonly [title: string, lines: readonly string[], body: string])[] = [
  ['CL.TE', ['Content-Length: 4', CHUNKED], LAST], ['TE.CL', [CHUNKED, 'Content-Length: 4'], `5c\r\n${SMUGGLED}\r\n${LAST}`], ['CL.TE, a folded name', ['Content-Length: 4', 'transfer-encoding: Chunked'], LAST],
  ['two lengths', ['Content-Length: 4', 'Content-Length: 5'], 'abcd'], ['two equal lengths', ['Content-Length: 4', 'Content-Length: 4'], 'abcd'], ['a list of lengths', ['Content-Length: 4, 4'], 'abcd'], ['a list of two lengths', ['Content-Length: 4,5'], 'abcd'],
  ['a signed length', ['Content-Length: +4'], 'abcd'], ['a negative length', ['Content-Length: -4'], 'abcd'], ['a hexadecimal length', ['Content-Length: 0x4'], 'abcd'], ['an exponent', ['Content-Length: 4e0'], 'abcd'], ['a fraction', ['Content-Length: 4.0'], 'abcd'],
  ['a length with a blank', ['Content-Length: 4 4'], 'abcd'], ['an empty length', ['Content-Length:'], 'abcd'], ['a length that is a word', ['Content-Length: four'], 'abcd'], ['an endless length', ['Content-Length: 99999999999999999999999'], 'abcd'], ['a wrapped length', ['Content-Length: 18446744073709551620'], 'abcd'],
  ['a quoted length', ['Content-Length: "4"'], 'abcd'], ['a length with an underscore', ['Content-Length: 1_0'], 'abcd'], ['a length with a vertical tab', ['Content-Length: \v4'], 'abcd'],
  ['chunked twice', [CHUNKED, CHUNKED], LAST], ['chunked, chunked', ['Transfer-Encoding: chunked, chunked'], LAST], ['gzip, chunked', ['Transfer-Encoding: gzip, chunked'], LAST], ['chunked, gzip', ['Transfer-Encoding: chunked, gzip'], LAST], ['identity', ['Transfer-Encoding: identity'], LAST],
  ['identity, chunked', ['Transfer-Encoding: identity, chunked'], LAST], ['chunked and identity', [CHUNKED, 'Transfer-Encoding: identity'], LAST], ['chunked with a parameter', ['Transfer-Encoding: chunked;q=1'], LAST], ['an unknown coding', ['Transfer-Encoding: xchunked'], LAST], ['a quoted coding', ['Transfer-Encoding: "chunked"'], LAST],
  ['a coding with a vertical tab', ['Transfer-Encoding: \vchunked'], LAST], ['a coding behind a NUL', ['Transfer-Encoding: \0chunked'], LAST], ['an empty coding', ['Transfer-Encoding:'], LAST], ['an empty element', ['Transfer-Encoding: ,chunked'], LAST], ['a coding and an empty one', [CHUNKED, 'Transfer-Encoding:'], LAST],
  ['a blank before the colon (TE)', ['Transfer-Encoding : chunked'], LAST], ['a blank before the colon (CL)', ['Content-Length : 4'], 'abcd'], ['a tab before the colon', ['Content-Length\t: 4'], 'abcd'], ['a blank in front of the name', [' Content-Length: 4'], 'abcd'],
  ['a folded line', ['X-A: b\r\n Transfer-Encoding: chunked'], LAST], ['a folded coding', ['Transfer-Encoding:\r\n chunked'], LAST], ['a bare CR in a line', [`X-A: b\rContent-Length: 4`], 'abcd'], ['a bare LF in a line', [`X-A: b\nContent-Length: 4`], 'abcd'], ['a bare CR at the end of a line', ['X-A: b\r', 'Content-Length: 4'], 'abcd'],
  ['NUL in a value', ['X-A: b\0c'], ''], ['NUL in a name', ['X-\0A: b'], ''], ['an empty name', [': b'], ''], ['a line without a colon', ['Content-Length 4'], 'abcd'], ['a name in quotes', ['"Content-Length": 4'], 'abcd'], ['a name with a brace', ['Content-Length{: 4'], 'abcd'],
  ['a length in a look-alike name', ['Content\u00adLength: 4'], 'abcd'],
]
const chunks: readonly (readonly [title: string, body: string])[] = [
  ['a size with a sign', '+3\r\nabc\r\n0\r\n\r\n'], ['a negative size', '-3\r\nabc\r\n0\r\n\r\n'], ['a size with 0x', '0x3\r\nabc\r\n0\r\n\r\n'], ['a size that is no number', 'zz\r\nabc\r\n0\r\n\r\n'], ['an endless size', 'fffffffffffffffff\r\nabc\r\n0\r\n\r\n'], ['a size of 2^64 and 3', '10000000000000003\r\nabc\r\n0\r\n\r\n'],
  ['no size', '\r\nabc\r\n0\r\n\r\n'], ['a blank before the size', ' 3\r\nabc\r\n0\r\n\r\n'], ['a bare LF behind the size', '3\nabc\r\n0\r\n\r\n'], ['a bare CR behind the size', '3\rabc\r\n0\r\n\r\n'], ['a bare LF behind the data', '3\r\nabc\n0\r\n\r\n'], ['data that is longer than it said', '3\r\nabcd\r\n0\r\n\r\n'],
  ['data that is shorter than it said', '5\r\nabc\r\n0\r\n\r\nxx'], ['an extension with a bare LF', '3;a\nb\r\nabc\r\n0\r\n\r\n'], ['an extension with a bare CR', '3;a\rb\r\nabc\r\n0\r\n\r\n'], ['a size with an underscore', '1_0\r\nabc\r\n0\r\n\r\n'], ['a last chunk with LF', '3\r\nabc\r\n0\n\n'], ['a quoted extension with a line break', '3;a="\r\n0\r\n\r\n"\r\nabc\r\n0\r\n\r\n'],
  ['NUL in a size', '3\0\r\nabc\r\n0\r\n\r\n'], ['a bare LF in the trailer', '3\r\nabc\r\n0\r\nX: y\n\r\n'], ['a trailer without a name', '3\r\nabc\r\n0\r\n: y\r\n\r\n'],
]

describe('a head that two readers could read differently', () => {
  it.each(refused)('%s: one 400, hung up, and nothing arrives', async (_title, lines, body) => {
    const { statuses, answers, arrived } = await attack(`${bytesOf('POST /guarded/x', [good, ...lines], body)}${SMUGGLED}`, { answers: Infinity })
    expect(statuses).toEqual([400])
    expect(answers[0]?.closed).toBe(true)
    expect(arrived).toEqual([])
  })
})

describe('chunks that are not', () => {
  it.each(chunks)('%s: nothing whole arrives, and nothing but one error comes back', async (_title, body) => {
    const { statuses, arrived } = await attack(`${bytesOf('POST /guarded/x', [good, CHUNKED], body)}${SMUGGLED}`, { answers: Infinity, mayStayBehind: true, timeoutMs: 2_500 })
    expect(statuses.length).toBeLessThanOrEqual(1)
    expect(statuses.filter((status) => status < 400)).toEqual([])
    expect(arrived).toEqual([])
  })
})

describe('request lines that are none', () => {
  it.each([
    'GET /public/x\r\n\r\n', 'GET /public/x HTTP/0.9\r\nHost: api.test\r\n\r\n', 'GET /public/x HTTP/2.0\r\nHost: api.test\r\n\r\n', 'GET /public/x HTTP/1.2\r\nHost: api.test\r\n\r\n', 'GET /public/x http/1.1\r\nHost: api.test\r\n\r\n', 'GET\t/public/x HTTP/1.1\r\nHost: api.test\r\n\r\n',
    'GET /public/x HTTP/1.1 \r\nHost: api.test\r\n\r\n', 'GET /public/x HTTP/1.1\nHost: api.test\n\n', 'GET /public/x HTTP/1.1\rHost: api.test\r\r', ' GET /public/x HTTP/1.1\r\nHost: api.test\r\n\r\n', 'GET /public/x HTTP/11\r\nHost: api.test\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  ])('%j is refused', async (bytes) => {
    const { statuses, arrived } = await attack(bytes, { answers: Infinity, timeoutMs: 2_500 })
    expect(statuses.filter((status) => status !== 400)).toEqual([])
    expect(arrived).toEqual([])
  })

  it.each(['GET  /public/x HTTP/1.1', 'GET /public/x  HTTP/1.1'])('%j, whose blanks Node forgives, is sent with one blank each', async (line) => {
    expect((await attack(`${line}\r\nHost: api.test\r\nConnection: close\r\n\r\n`)).arrived.map(({ target }) => target)).toEqual(['/public/x'])
  })

  it.each(['TE', 'CL'])('HTTP/1.0 with a body by %s is framed by us or refused', async (kind) => {
    const head = `POST /public/x HTTP/1.0\r\nHost: api.test\r\nConnection: keep-alive\r\n${kind === 'TE' ? CHUNKED : `Content-Length: ${SMUGGLED.length}`}\r\n\r\n`
    const { arrived, statuses } = await attack(`${head}${kind === 'TE' ? chunked(SMUGGLED) : SMUGGLED}`, { answers: Infinity, timeoutMs: 1_000 })
    expect(statuses).toEqual([kind === 'TE' ? 400 : 200])
    expect(arrived.map(({ target }) => target)).toEqual(kind === 'TE' ? [] : ['/public/x'])
  })
})

const METHODS = ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'PURGE', 'PROPFIND', 'REPORT']
const CONNECTIONS = ['Connection: close', 'Connection: upgrade', 'Connection: keep-alive', 'Upgrade: h2c']

describe('a body that looks like a request', () => {
  it.each(METHODS.flatMap((method) => CONNECTIONS.map((line) => [method, line] as const)))('stays a body in %s with %s', async (method, line) => {
    for (const [framing, body] of [[CHUNKED, chunked(SMUGGLED)], [`Content-Length: ${SMUGGLED.length}`, SMUGGLED]] as const) {
      const { arrived } = await attack(bytesOf(`${method} /guarded/x`, [good, line, framing], body))
      expect(arrived.map(({ method: sent, target }) => [sent, target])).toEqual([[method, '/guarded/x']])
      expect(arrived[0]!.body.toString()).toBe(SMUGGLED)
    }
  })

  it('stays a body of a refused request', async () => {
    for (const method of METHODS) {
      const { arrived, statuses } = await attack(bytesOf(`${method} /guarded/x`, [CHUNKED], chunked(SMUGGLED)))
      expect(statuses).toEqual([401])
      expect(arrived).toEqual([])
    }
  })
})

describe('heads that are too large', () => {
  it('2,100 lines in front of the length: 431, and the body is not a request', async () => {
    const fillers = Array.from({ length: 2_100 }, (_, index) => `a${index}: 1`)
    expect((await attack(bytesOf('POST /public/x', [...fillers, `Content-Length: ${SMUGGLED.length}`], SMUGGLED), { answers: Infinity })).statuses).toEqual([431])
  })

  it.each([101, 150, 263, 264, 265, 400])('%i short lines: 431', async (count) => {
    const { statuses, arrived } = await attack(bytesOf('POST /public/x', [...Array.from({ length: count - 2 }, (_, index) => `a${index}: 1`), `Content-Length: ${SMUGGLED.length}`], SMUGGLED), { answers: Infinity })
    expect(statuses).toEqual([431])
    expect(arrived).toEqual([])
  })

  it('99 lines pass', async () => {
    expect((await attack(bytesOf('GET /public/x', [...Array.from({ length: 97 }, (_, index) => `a${index}: 1`), 'Connection: close']))).statuses).toEqual([200])
  })
})
