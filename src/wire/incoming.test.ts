import * as fc from 'fast-check'
import { describe as suite, expect, it } from 'vitest'
import { wireSettings } from '../../test/support/wire-settings.ts'
import { isDenial } from '../model/denial.ts'
import type { RequestDescription } from '../model/request.ts'
import { describe, type IncomingContext, type IncomingLines } from './incoming.ts'

const WIRE = wireSettings({ trustedProxies: ['10.0.0.0/8'] })
const CONTEXT: IncomingContext = { wire: WIRE, peer: '203.0.113.9', encrypted: false, now: 1_000, upgrade: false, maxHeaders: 100 }
const HOST = ['Host', 'api.test']

const message = (over: Partial<IncomingLines> = {}): IncomingLines => ({ method: 'GET', url: '/x?y=1', httpVersion: '1.1', rawHeaders: HOST, ...over })
const withHeaders = (...rawHeaders: readonly string[]) => message({ rawHeaders: [...HOST, ...rawHeaders] })

const described = (lines: IncomingLines, over: Partial<IncomingContext> = {}) => describe(lines, { ...CONTEXT, ...over })

function accepted(lines: IncomingLines, over: Partial<IncomingContext> = {}): RequestDescription {
  const result = described(lines, over)
  if (isDenial(result)) throw new Error(`refused: ${JSON.stringify(result)}`)
  return result
}

const refused = (lines: IncomingLines, part: string, over: Partial<IncomingContext> = {}): void => {
  expect(described(lines, over)).toMatchObject({ kind: 'denial', code: 'request_ambiguous', part })
}

suite('an ordinary request', () => {
  it('is described as it was sent', () => {
    const request = accepted(withHeaders('Accept', 'a', 'accept', 'b', 'X-User-Id', 'admin'))
    expect(request).toMatchObject({
      receivedAt: 1_000,
      method: 'GET',
      target: { scheme: 'http', host: 'api.test', path: '/x', query: 'y=1' },
      client: { ip: '203.0.113.9', peer: '203.0.113.9', trustedHops: 0, partition: '203.0.113.9' },
    })
    expect([...request.headers]).toEqual([['host', ['api.test']], ['accept', ['a', 'b']], ['x-user-id', ['admin']]])
    expect(request.upgrade).toBeUndefined()
    expect(request.traceId).toBeUndefined()
  })

  it('over TLS has the scheme https', () => {
    expect(accepted(message(), { encrypted: true }).target.scheme).toBe('https')
  })

  it('takes scheme, host and client from a trusted proxy only', () => {
    const lines = withHeaders('X-Forwarded-For', '198.51.100.7', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'public.example')
    expect(accepted(lines, { peer: '10.0.0.5' })).toMatchObject({ target: { scheme: 'https', host: 'public.example' }, client: { ip: '198.51.100.7', trustedHops: 1 } })
    expect(accepted(lines)).toMatchObject({ target: { scheme: 'http', host: 'api.test' }, client: { ip: '203.0.113.9', trustedHops: 0 } })
  })

  it('from a socket that is gone is refused', () => {
    expect(isDenial(described(message(), { peer: undefined }))).toBe(true)
  })
})

suite('version and method', () => {
  it.each(['0.9', '2.0', '1.2', '1', '', 'HTTP/1.1'])('version %j is refused', (httpVersion) => refused(message({ httpVersion }), 'version'))

  it.each(['CONNECT', 'TRACE'])('%s is 405 with the methods that are allowed', (method) => {
    expect(described(message({ method }))).toMatchObject({ code: 'method_not_allowed', allow: expect.arrayContaining(['GET']) })
  })

  it.each(['', 'G ET', 'GET\t', 'G(ET', 'get', 'Get', 'connect', 'G\u00c9T', 'A'.repeat(65)])('%j is no method', (method) => refused(message({ method }), 'method'))

  it.each(['GET', 'PURGE', 'QUERY', 'M-SEARCH', 'X!'])('%s passes as it is', (method) => {
    expect(accepted(message({ method })).method).toBe(method)
  })
})

suite('Host', () => {
  it.each([
    [[]], [['Host', 'a', 'Host', 'b']], [['Host', 'a', 'host', 'a']], [['Host', '']], [['Host', 'a,b']], [['Host', 'a/b']], [['Host', 'a@b']], [['Host', '[::1']], [['Host', 'h:99999']],
  ])('%j is refused on both versions', (rawHeaders) => {
    refused(message({ rawHeaders }), 'host')
    refused(message({ rawHeaders, httpVersion: '1.0' }), 'host')
  })

  it('must be valid also when a trusted proxy names another', () => {
    refused(message({ rawHeaders: ['Host', 'a@b', 'X-Forwarded-For', '198.51.100.7', 'X-Forwarded-Host', 'h'] }), 'host', { peer: '10.0.0.5' })
  })
})

suite('framing', () => {
  it.each([
    ['both', ['Content-Length', '4', 'Transfer-Encoding', 'chunked']],
    ['both, the other order', ['Transfer-Encoding', 'chunked', 'Content-Length', '0']],
    ['two codings', ['Transfer-Encoding', 'gzip, chunked']],
    ['identity first', ['Transfer-Encoding', 'identity, chunked']],
    ['two lines', ['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked']],
    ['two lines, one of them other', ['Transfer-Encoding', 'chunked', 'Transfer-encoding', 'cow']],
    ['another coding', ['Transfer-Encoding', 'xchunked']],
    ['a vertical tab', ['Transfer-Encoding', '\u000bchunked']],
    ['a parameter', ['Transfer-Encoding', 'chunked;a=b']],
    ['a quoted coding', ['Transfer-Encoding', '"chunked"']],
    ['an empty coding', ['Transfer-Encoding', '']],
  ])('%s: refused', (_title, lines) => refused(withHeaders(...lines), 'transfer-encoding'))

  it.each([
    [['Content-Length', '5', 'Content-Length', '5']], [['Content-Length', '5', 'content-length', '6']], [['Content-Length', '5, 5']], [['Content-Length', '+5']], [['Content-Length', '-1']], [['Content-Length', '0x5']],
    [['Content-Length', '5e1']], [['Content-Length', '']], [['Content-Length', ' 5']], [['Content-Length', '5 5']], [['Content-Length', '99999999999999999999']], [['Content-Length', '1_000']],
  ])('%j: refused', (lines) => refused(withHeaders(...lines), 'content-length'))

  it('a transfer coding on HTTP/1.0 is refused', () => refused({ ...withHeaders('Transfer-Encoding', 'chunked'), httpVersion: '1.0' }, 'transfer-encoding'))

  it.each([[['Content-Length', '0']], [['Content-Length', '5']], [['Transfer-Encoding', 'chunked']], [['Transfer-Encoding', 'Chunked']]])('%j: accepted for every method', (lines) => {
    for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST', 'QUERY']) accepted({ ...withHeaders(...lines), method })
  })
})

suite('header lines', () => {
  it('over the count are 431', () => {
    const rawHeaders = [...HOST, ...Array.from({ length: 99 }, (_none, index) => [`A${index}`, 'x']).flat()]
    accepted(message({ rawHeaders }))
    expect(described(message({ rawHeaders: [...rawHeaders, 'Content-Length', '25'] }))).toMatchObject({ code: 'request_too_large', status: 431 })
  })

  it.each(['X_API_Key', 'X.API.Key', 'X-API_Key', 'x_api_key', 'X~API~Key'])('%s, a second spelling of a credential header, is refused', (name) => refused(withHeaders(name, 'k'), 'header'))

  it.each(['X-API-Key', 'x-api-key', 'X-API-KEY'])('%s is the credential header', (name) => {
    expect(accepted(withHeaders(name, 'k')).headers.get('x-api-key')).toEqual(['k'])
  })

  it.each(['X_User_Id', 'X.User.Id', 'X_Anything', 'x.y'])('%s passes by default and is refused with alias_headers: reject', (name) => {
    accepted(withHeaders(name, 'a'))
    refused(withHeaders(name, 'a'), 'header', { wire: { ...WIRE, aliasHeaders: 'reject' } })
  })
})

suite('Connection', () => {
  it.each([
    'X-User-Id', 'close, x-user-id', 'keep-alive,X_USER_ID', 'X-Forwarded-For', 'X-REAL-IP', 'Host', 'content-length', 'Transfer-Encoding', 'Authorization', 'cookie', 'Content-Type', 'X-API-Key', 'x_api_key',
    'X-Envoy-Original-Path', 'Forwarded', 'Origin', 'X-Request-Id',
  ])('may not name a field that is for the upstream: %s (CVE-2024-45410)', (value) => {
    refused(withHeaders('Connection', value), 'connection')
    refused(withHeaders('Connection', 'close', 'connection', value), 'connection')
  })

  it('may not name a credential header whose own name has an underscore', () => {
    refused(withHeaders('Connection', 'X_Key'), 'connection', { wire: wireSettings({ credentials: ['X_Key'] }) })
  })

  it.each(['close; x-user-id', 'a b', '"close"', 'x@y'])('%j is no list of options', (value) => refused(withHeaders('Connection', value), 'connection'))

  it.each(['close', 'keep-alive', 'Keep-Alive, TE', 'Upgrade, HTTP2-Settings', 'X-Custom', '', ' , close'])('%j is accepted', (value) => {
    accepted(withHeaders('Connection', value))
  })
})

suite('a WebSocket handshake', () => {
  const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
  const FIELDS = ['Connection', 'keep-alive, upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', KEY]
  const replaced = (name: string, ...values: readonly string[]): string[] => {
    const index = FIELDS.indexOf(name)
    return [...FIELDS.slice(0, index), ...values.flatMap((value) => [name, value]), ...FIELDS.slice(index + 2)]
  }

  it('is described as an upgrade', () => {
    expect(accepted(withHeaders(...FIELDS), { upgrade: true }).upgrade).toBe('websocket')
    expect(accepted(withHeaders(...replaced('Upgrade', 'WebSocket')), { upgrade: true }).upgrade).toBe('websocket')
  })

  it.each([
    ['version 777', replaced('Sec-WebSocket-Version', '777')],
    ['two versions', replaced('Sec-WebSocket-Version', '13', '13')],
    ['no version', replaced('Sec-WebSocket-Version')],
    ['h2c', replaced('Upgrade', 'h2c')],
    ['a list', replaced('Upgrade', 'websocket, h2c')],
    ['two upgrades', replaced('Upgrade', 'websocket', 'h2c')],
    ['no upgrade', replaced('Upgrade')],
    ['a Connection that does not ask for it', replaced('Connection', 'keep-alive')],
    ['no key', replaced('Sec-WebSocket-Key')],
    ['two keys', replaced('Sec-WebSocket-Key', KEY, KEY)],
    ['a short key', replaced('Sec-WebSocket-Key', 'dGhl')],
    ['a key of other characters', replaced('Sec-WebSocket-Key', `${KEY.slice(0, 21)}_==`)],
    ['a second spelling of a key', replaced('Sec-WebSocket-Key', `${KEY.slice(0, 21)}R==`)],
    ['a body', [...FIELDS, 'Content-Length', '50']],
    ['an empty body', [...FIELDS, 'Content-Length', '0']],
    ['a chunked body', [...FIELDS, 'Transfer-Encoding', 'chunked']],
  ])('with %s is refused', (_title, lines) => refused(withHeaders(...lines), 'upgrade', { upgrade: true }))

  it('needs GET and HTTP/1.1', () => {
    refused({ ...withHeaders(...FIELDS), method: 'POST' }, 'upgrade', { upgrade: true })
    refused({ ...withHeaders(...FIELDS), httpVersion: '1.0' }, 'upgrade', { upgrade: true })
  })
})

suite('request id and trace', () => {
  const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

  it('takes an id from a trusted proxy and from nobody else', () => {
    const lines = withHeaders('X-Request-Id', 'abc.DEF_1-2')
    expect(accepted(lines, { peer: '10.0.0.5' }).id).toBe('abc.DEF_1-2')
    expect(accepted(lines).id).not.toBe('abc.DEF_1-2')
  })

  it.each([[['X-Request-Id', 'a b']], [['X-Request-Id', '']], [['X-Request-Id', 'a'.repeat(129)]], [['X-Request-Id', 'a\u00e9']], [['X-Request-Id', 'a', 'X-Request-Id', 'b']]])('makes one instead of %j', (lines) => {
    expect(accepted(withHeaders(...lines), { peer: '10.0.0.5' }).id).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('makes another id for every request', () => {
    expect(new Set(Array.from({ length: 1_000 }, () => accepted(message()).id)).size).toBe(1_000)
  })

  it('passes a valid trace on and makes one where tracing is on', () => {
    const valid = withHeaders('traceparent', `00-${TRACE}-00f067aa0ba902b7-01`)
    const tracing = { wire: { ...WIRE, tracing: true } }
    expect(accepted(valid).traceId).toBe(TRACE)
    expect(accepted(valid, tracing).traceId).toBe(TRACE)
    expect(accepted(message(), tracing).traceId).toMatch(/^[0-9a-f]{32}$/)
    expect(accepted(withHeaders('traceparent', 'x'), tracing).traceId).toMatch(/^[0-9a-f]{32}$/)
    expect(accepted(withHeaders('traceparent', `00-${TRACE}-00f067aa0ba902b7-01`, 'traceparent', `00-${TRACE}-00f067aa0ba902b7-01`), tracing).traceId).not.toBe(TRACE)
  })
})

suite('describe on anything', () => {
  const names = fc.oneof(fc.constantFrom('Host', 'Connection', 'Transfer-Encoding', 'Content-Length', 'X-Forwarded-For', 'X_API_KEY', '__proto__', 'constructor', 'Upgrade'), fc.string({ unit: 'binary' }))
  const values = fc.oneof(fc.constantFrom('api.test', 'chunked', '5', 'close', '1.2.3.4'), fc.string({ unit: 'binary' }))

  it('never throws, and a description holds every line', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(names, values), { maxLength: 8 }), fc.string(), fc.string(), fc.boolean(), (lines, url, method, upgrade) => {
        const rawHeaders = lines.flat()
        const result = described({ method: upgrade ? 'GET' : method, url, httpVersion: '1.1', rawHeaders }, { upgrade, peer: '10.0.0.5' })
        if (isDenial(result)) return
        expect([...result.headers.values()].flat().toSorted()).toEqual(lines.map(([, value]) => value).toSorted())
      }),
      { numRuns: 2_000 },
    )
  })
})

suite('field lines that a connection says again', () => {
  const again = (over: Partial<IncomingLines> = {}) => message({ rawHeaders: [...HOST, 'X-Forwarded-For', '198.51.100.7'], repeated: { facts: undefined, forwarded: undefined, kept: { wire: undefined, memory: new Map() } }, ...over })

  it('are described once; target, method and id are those of each request', () => {
    const lines = again()
    const first = accepted(lines, { peer: '10.0.0.1' })
    const second = accepted({ ...lines, method: 'DELETE', url: '/other' }, { peer: '10.0.0.1' })
    expect(second).toMatchObject({ method: 'DELETE', target: { path: '/other', query: '' }, client: { ip: '198.51.100.7' } })
    expect(second.headers).toBe(first.headers)
    expect(second.id).not.toBe(first.id)
  })

  it('are looked at anew under other settings', () => {
    const lines = again()
    expect(accepted(lines, { peer: '10.0.0.1' }).client.ip).toBe('198.51.100.7')
    expect(accepted(lines, { peer: '10.0.0.1', wire: wireSettings() }).client.ip).toBe('10.0.0.1')
  })

  it('keep what was found in them for the next request, and not under other settings', () => {
    const lines = again()
    const { memory } = accepted(lines)
    expect(memory).toBeInstanceOf(Map)
    expect(accepted({ ...lines, rawHeaders: [...HOST], repeated: { facts: undefined, forwarded: undefined, kept: lines.repeated!.kept } }).memory).toBe(memory)
    expect(accepted(lines, { wire: wireSettings() }).memory).not.toBe(memory)
    expect(accepted(message({ rawHeaders: [...HOST] })).memory).toBeUndefined()
  })

  it('do not make up for a method or a target that is refused', () => {
    const lines = again()
    accepted(lines)
    refused({ ...lines, method: 'get' }, 'method')
    expect(described({ ...lines, method: 'TRACE' })).toMatchObject({ code: 'method_not_allowed' })
    expect(isDenial(described({ ...lines, url: '/a/../b' }))).toBe(true)
  })

  it('that were refused are refused again, and an upgrade is never judged by what was no upgrade', () => {
    const lines = again({ rawHeaders: [...HOST, 'Content-Length', '1, 2'] })
    refused(lines, 'content-length')
    refused(lines, 'content-length')
    const plain = again()
    accepted(plain)
    refused(plain, 'upgrade', { upgrade: true })
  })
})
