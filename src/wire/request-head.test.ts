import { describe, expect, it } from 'vitest'
import { readRequestHead, type RequestFields } from './request-head.ts'

const fields = (text: string): RequestFields | undefined => readRequestHead(text)?.fields

const head = (...lines: string[]): string => ['GET /a?b=c HTTP/1.1', 'Host: api.test', ...lines].join('\r\n')

describe('an ordinary request', () => {
  it('is read as it was written, line by line', () => {
    expect(readRequestHead(head('X-A:  b \t', 'x-a:c', 'X-Empty:', 'X-Latin: \xe9'))).toEqual({
      method: 'GET', url: '/a?b=c', httpVersion: '1.1', rawHeaders: ['Host', 'api.test', 'X-A', 'b', 'x-a', 'c', 'X-Empty', '', 'X-Latin', '\xe9'],
      fields: expect.objectContaining({ length: 0, keepAlive: true }) as unknown,
      repeated: { facts: undefined, forwarded: undefined, kept: { wire: undefined, memory: new Map() } },
    })
  })

  it('has the length that it announces', () => {
    expect(fields(head('Content-Length: 17'))).toMatchObject({ length: 17, keepAlive: true })
  })

  it('may be the last of its connection', () => {
    expect(fields(head('Connection: Close'))).toMatchObject({ keepAlive: false })
    expect(fields(head('Connection: keep-alive'))).toMatchObject({ keepAlive: true })
    expect(fields(head('Connection: close', 'Connection: keep-alive'))).toMatchObject({ keepAlive: false })
  })

  it('has no fields at all, which is for the judge to refuse', () => {
    expect(readRequestHead('DELETE / HTTP/1.1')).toMatchObject({ method: 'DELETE', url: '/', rawHeaders: [] })
  })
})

describe('fields that are said again', () => {
  it('are the same, letter by letter or not at all', () => {
    const first = fields(head('X: y'))
    expect(readRequestHead(`POST /other HTTP/1.1\r\nHost: api.test\r\nX: y`, first)).toMatchObject({ method: 'POST', url: '/other' })
    expect(readRequestHead(head('X: y'), first)?.rawHeaders).toBe(first?.rawHeaders)
    for (const lines of [['X: z'], ['X: y', 'Y: z'], ['x: y'], [], ['X: y ']]) {
      const other = readRequestHead(head(...lines), first)
      expect(other?.rawHeaders).toEqual(readRequestHead(head(...lines))?.rawHeaders)
      expect(other?.rawHeaders).not.toBe(first?.rawHeaders)
    }
  })

  it('leave what is known of single lines to those that come behind them, and nothing else', () => {
    const first = fields(head('X: y'))
    const other = fields(head('X: z'))
    const behind = readRequestHead(head('X: z'), first)?.fields
    expect(behind?.repeated.kept).toBe(first?.repeated.kept)
    expect(behind?.repeated).not.toBe(first?.repeated)
    expect(other?.repeated.kept).not.toBe(first?.repeated.kept)
  })

  it('do not make up for a request line', () => {
    const first = fields(head('X: y'))
    for (const line of ['GET / HTTP/1.0', 'get / HTTP/1.1', 'GET  HTTP/1.1', 'GET /\xe9 HTTP/1.1', 'GET /a b HTTP/1.1']) expect(readRequestHead(`${line}\r\nHost: api.test\r\nX: y`, first)).toBeUndefined()
  })
})

describe('what is left to the parser of Node', () => {
  it.each([
    ['another version', 'GET / HTTP/1.0\r\nHost: a'], ['a blank behind the version', 'GET / HTTP/1.1 \r\nHost: a'], ['a rare method', 'PURGE / HTTP/1.1\r\nHost: a'], ['a method in small letters', 'get / HTTP/1.1\r\nHost: a'],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a'], ['a target that is no path', 'GET http://a/ HTTP/1.1\r\nHost: a'], ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a'], ['a target with a blank', 'GET /a b HTTP/1.1\r\nHost: a'], ['a target that is not ASCII', 'GET /\xe9 HTTP/1.1\r\nHost: a'], ['no target', 'GET  HTTP/1.1\r\nHost: a'],
    ['a line break before it', '\r\nGET / HTTP/1.1\r\nHost: a'], ['nothing', ''], ['a version alone', ' HTTP/1.1'], ['nonsense', 'nonsense'],
    ['chunks', head('Transfer-Encoding: chunked')], ['an upgrade', head('Connection: Upgrade', 'Upgrade: websocket')], ['a field of an upgrade', head('Upgrade: h2c')], ['an expectation', head('Expect: 100-continue')],
    ['a nomination', head('Connection: close, X-A')], ['an empty Connection', head('Connection:')], ['Proxy-Connection', head('Proxy-Connection: close')],
    ['two lengths', head('Content-Length: 5', 'Content-Length: 5')], ['a list of lengths', head('Content-Length: 5, 5')], ['a length with a sign', head('Content-Length: +5')], ['a length that is no number that counts', head('Content-Length: 9999999999999999')], ['a tab beside a length', head('Content-Length: 5\t')], ['an empty length', head('Content-Length:')],
    ['a blank before a colon', head('X : y')], ['a folded line', head('X: y', ' z')], ['a line without a colon', head('X')], ['a name that is none', head(': y')], ['a control character', head('X: \0')], ['DEL', head('X: \x7f')], ['a bare LF', head('X: a\nY: b')], ['a bare CR', head('X: a\rb')], ['an empty line', head('', 'X: y')],
  ])('%s', (_what, text) => {
    expect(readRequestHead(text)).toBeUndefined()
  })
})
