import * as fc from 'fast-check'
import { ACCEPTED, REFUSED } from '../attack/ambiguous-targets.ts'
import type { Script } from './exchange.ts'
import { mutated } from './inputs.ts'

/** What clients send who want a proxy and an upstream to see different requests. */

/** Stands where the number of the case goes. */
export const NONCE = '@NONCE@'

const SMUGGLED = 'GET /admin/smuggled HTTP/1.1\r\nHost: api.test\r\nX-User-Id: root\r\n\r\n'

const methods = fc.oneof({ weight: 8, arbitrary: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH') }, { weight: 1, arbitrary: fc.constantFrom('TRACE', 'CONNECT', 'get', 'PURGE', 'QUERY', 'PRI', 'M-SEARCH', 'GE T', '', 'GET\t') })

/** Mostly open, through either engine; the rest is for the judge. */
const targets = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('/public/x', '/undici/x', '/public/y?a=b', '/undici/y?../admin', '/guarded/x', '/guarded-undici/x', '/optional/x', '/admin/x', '/nowhere') },
  { weight: 2, arbitrary: fc.constantFrom(...ACCEPTED, ...REFUSED) },
  { weight: 1, arbitrary: fc.constantFrom('http://api.test/public/x', '*', 'api.test:443', '//x/public', '/public/x HTTP/1.1\r\nX-User-Id: root\r\nX: ', '/public/x\tHTTP/1.1', '') },
)

const versions = fc.oneof({ weight: 20, arbitrary: fc.constant('HTTP/1.1') }, { weight: 1, arbitrary: fc.constantFrom('HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/0.9', '', 'HTTP/1.1 ', 'HTTP/1.10') })

const hosts = fc.oneof({ weight: 14, arbitrary: fc.constant(['Host: api.test']) }, { weight: 1, arbitrary: fc.constantFrom<string[]>([], ['Host: api.test', 'Host: internal'], ['Host:'], ['Host: a b'], ['Host: api.test:80'], ['Host : api.test'], ['Host: API.test', 'X: y'], ['host: [::1]:80'], ['Host: api.test/'], ['Host: u@api.test']) })

const fields = fc.constantFrom(
  'X-User-Id: root', 'x-user-id: root', 'X_User_Id: root', 'X.User.Id: root', 'X-User-Id : root', 'X-User_Id: root', ' X-User-Id: root', 'X-User-Id:root\r\n x', 'X-User-Email: root@x',
  'X-API-Key: key-of-the-key-holder-1', 'X-API-Key: key-of-the-key-holder-1', 'X-API-Key: wrong-key-wrong-key', 'X_API_Key: key-of-the-key-holder-1', 'X-API-Key:', 'x-api-key: key-of-the-key-holder-1, x', 'Authorization: Bearer key-of-the-key-holder-1', 'Authorization: Basic eDp5', 'Cookie: a=b; key=key-of-the-key-holder-1',
  'Connection: close', 'Connection: keep-alive', 'Connection: X-User-Id', 'Connection: close, X-Forwarded-For', 'Connection: x-custom', 'Connection: Content-Length', 'Connection: Transfer-Encoding', 'Connection: Upgrade', 'Connection: ,', 'Keep-Alive: timeout=99', 'Proxy-Connection: keep-alive',
  'Upgrade: websocket', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Version: 777',
  'Expect: 100-continue', 'Expect: x', 'Expect: y 100-continue', 'TE: trailers', 'Trailer: X-User-Id', 'Max-Forwards: 0',
  'X-Forwarded-For: 127.0.0.1', 'X-Forwarded-Host: internal', 'X-Forwarded-Proto: https', 'Forwarded: for=127.0.0.1', 'X-Real-IP: 127.0.0.1', 'X-Original-URL: /admin/x', 'X-HTTP-Method-Override: DELETE', 'X-Request-Id: mine', 'Via: 1.1 x', 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  'X-Custom: 1', 'Accept: */*', 'Origin: https://evil.test', 'X: \xff\xfe', 'X: \0', 'X: \x7f', ': x', 'X', 'X: a\rb', 'X: a\nX-User-Id: root', `X-Long: ${'a'.repeat(3_000)}`, '\x0b: x', 'X\0: y', 'Content-Type: application/json', 'Content-Encoding: gzip',
)

/** Framing fields and a body; what a body says about itself is often not true. */
const bodies = fc.constantFrom<readonly [lines: readonly string[], body: string]>(
  [[], ''], [[], ''], [[], ''], [['Content-Length: 0'], ''], [['Content-Length: 5'], 'hello'], [['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n'],
  [[], SMUGGLED], [['Content-Length: 5'], `hello${SMUGGLED}`], [[`Content-Length: ${SMUGGLED.length}`], SMUGGLED], [['Content-Length: 0'], SMUGGLED], [['Content-Length: 4'], 'hello'], [['Content-Length: 500'], 'hello'],
  [['Transfer-Encoding: chunked'], `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`], [['Transfer-Encoding: chunked'], `0\r\n\r\n${SMUGGLED}`], [['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\nX-User-Id: root\r\n\r\n'],
  [['Content-Length: 4', 'Transfer-Encoding: chunked'], `0\r\n\r\n${SMUGGLED}`], [['Transfer-Encoding: chunked', 'Content-Length: 5'], `0\r\n\r\n${SMUGGLED}`], [['Content-Length: 5', 'Content-Length: 5'], 'hello'], [['Content-Length: 5', 'Content-Length: 6'], `hello${SMUGGLED}`], [['Content-Length: 5, 5'], 'hello'],
  [['Content-Length: +5'], 'hello'], [['Content-Length: 0x5'], 'hello'], [['Content-Length: 5 '], 'hello'], [['Content-Length:\t5'], 'hello'], [['Content-Length: -1'], SMUGGLED], [['Content-Length: 05'], 'hello'], [['Content-Length: 99999999999999999999'], 'hello'], [['Content_Length: 5'], 'hello'], [['Content-Length : 5'], 'hello'], [['Content-Length:'], SMUGGLED], [['Content-Length: 5\r\n 0'], 'hello'],
  [['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'], [['Transfer-Encoding: chunked, gzip'], '0\r\n\r\n'], [['Transfer-Encoding: chunked, chunked'], '0\r\n\r\n'], [['Transfer-Encoding: xchunked'], SMUGGLED], [['Transfer-Encoding : chunked'], '0\r\n\r\n'], [['Transfer-Encoding: \x0bchunked'], `0\r\n\r\n${SMUGGLED}`], [['Transfer-Encoding:\tchunked'], `0\r\n\r\n${SMUGGLED}`], [['Transfer-Encoding: identity'], SMUGGLED], [['Transfer-Encoding: CHUNKED'], '5\r\nhello\r\n0\r\n\r\n'], [['Transfer-Encoding: "chunked"'], '0\r\n\r\n'], [['Transfer-Encoding: chunked;q=1'], '0\r\n\r\n'], [['Transfer-Encoding:\r\n chunked'], '0\r\n\r\n'], [['Transfer_Encoding: chunked'], `0\r\n\r\n${SMUGGLED}`], [['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], `0\r\n\r\n${SMUGGLED}`], [['Transfer-Encoding:'], SMUGGLED], [['TRANSFER-ENCODING: chunked\0'], '0\r\n\r\n'],
  [['Transfer-Encoding: chunked'], `5;a=b\r\nhello\r\n0\r\n\r\n`], [['Transfer-Encoding: chunked'], `5;a="\r\n"\r\nhello\r\n0\r\n\r\n`], [['Transfer-Encoding: chunked'], `5 ;\r\nhello\r\n0\r\n\r\n`], [['Transfer-Encoding: chunked'], `5\nhello\n0\n\n${SMUGGLED}`], [['Transfer-Encoding: chunked'], `005\r\nhello\r\n000\r\n\r\n`], [['Transfer-Encoding: chunked'], `0x5\r\nhello\r\n0\r\n\r\n`], [['Transfer-Encoding: chunked'], `FFFFFFFFFFFFFFFF5\r\nhello\r\n0\r\n\r\n`], [['Transfer-Encoding: chunked'], `-5\r\nhello\r\n0\r\n\r\n`], [['Transfer-Encoding: chunked'], `5\r\nhelloX\r\n0\r\n\r\n`], [['Transfer-Encoding: chunked'], `5;\n\r\nhello\r\n0\r\n\r\n`], [['Transfer-Encoding: chunked'], `5\r\nhello\r\n0\r\n`], [['Transfer-Encoding: chunked'], `2;\nxx\r\n${SMUGGLED.length.toString(16)}\r\n0\r\n\r\n${SMUGGLED}`],
)

const ends = fc.oneof({ weight: 40, arbitrary: fc.constant('\r\n') }, { weight: 1, arbitrary: fc.constantFrom('\n', '\r', '\r\r\n', '\n\r', '\r\n ', '\0\r\n') })

const request = fc.tuple(methods, targets, versions, hosts, fc.array(fields, { maxLength: 4 }), bodies, fc.boolean(), fc.array(ends, { minLength: 3, maxLength: 3 })).map(([method, target, version, host, more, [framing, body], early, [first = '', each = '', last = '']]) => {
  const lines = [...host, `X-Nonce: ${NONCE}`, ...(early ? [...framing, ...more] : [...more, ...framing])]
  return `${method} ${target} ${version}${first}${lines.map((line, index) => line + (index === 1 ? each : '\r\n')).join('')}${last}${body}`
})

/** Nothing is wrong with these: what stands in front of them, and what they claim, may still be. */
const plain = fc.tuple(fc.constantFrom('GET', 'POST', 'OPTIONS', 'DELETE', 'HEAD'), fc.constantFrom('/public/p', '/undici/p', '/guarded/p', '/guarded-undici/p', '/optional/p'), fc.array(fields.filter((field) => /^[A-Za-z-]+: [ -~]*$/.test(field) && !/^(Connection|Upgrade|Expect|Content-|HTTP2)/.test(field)), { maxLength: 2 }), bodies.filter(([lines, body]) => lines.every((line) => /^(Content-Length: [05]|Transfer-Encoding: chunked)$/.test(line)) && !/[;X]|GET/.test(body)))
  .map(([method, target, more, [framing, body]]) => `${method} ${target} HTTP/1.1\r\n${['Host: api.test', `X-Nonce: ${NONCE}`, ...more, ...framing].join('\r\n')}\r\n\r\n${body}`)

const stream = fc.tuple(fc.oneof({ weight: 12, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.constantFrom('\r\n', '\n', '\0', 'PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n') }), fc.array(fc.oneof({ weight: 1, arbitrary: request }, { weight: 1, arbitrary: plain }), { minLength: 1, maxLength: 4 })).map(([before, requests]) => before + requests.join(''))

const CHARACTERS = ['\r', '\n', ' ', '\t', ':', '\0', ',', ';', '0', '1', '5', '\x0b', '\xff', '_', '-', '/', '%', '#', '?']

/** Streams of one connection: requests behind each other, some bytes changed, cut anywhere. */
export const requestStreams: fc.Arbitrary<Script> = fc.record({
  text: fc.oneof({ weight: 3, arbitrary: stream }, { weight: 2, arbitrary: mutated(stream, CHARACTERS) }),
  cuts: fc.oneof({ weight: 2, arbitrary: fc.constant<number[]>([]) }, { weight: 1, arbitrary: fc.array(fc.nat(1_023), { maxLength: 4 }) }),
})
