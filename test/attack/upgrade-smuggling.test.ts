// Tunnels that nobody judged (T14). Repeats CVE-2026-2833 (Pingora), CVE-2026-69243 (aiohttp), CVE-2019-17567 (Apache), websocket-smuggle
// (0ang3el, 2019), h2csmuggler (Bishop Fox), and the upgrade without a proxyReq hook of http-proxy (finding F2).
import { describe, expect, it } from 'vitest'
import { headerOf } from '../support/raw-client.ts'
import { valuesOf } from '../support/strict-http.ts'
import { bearer, bytesOf, HANDSHAKE, SMUGGLED, startTarget } from './target.ts'

const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n'
/** What the upstream says, by path. */
const SAYS: Readonly<Record<string, string>> = {
  '/public/no-accept': `${SWITCHING}Upgrade: websocket\r\n\r\n`,
  '/public/wrong-accept': `${SWITCHING}Upgrade: websocket\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n`,
  '/public/other-protocol': `${SWITCHING}Upgrade: h2c\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`,
  '/public/no-upgrade': `${SWITCHING}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`,
  '/public/no': 'HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\nUpgrade: websocket\r\n\r\nno',
  '/public/yes-but-200': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  '/public/endless': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
}
const { attack, token, upstream } = await startTarget({ upstream: { answer: ({ target }) => SAYS[target] ?? SAYS['/public/yes-but-200']! } })

const without = (name: string): string[] => HANDSHAKE.filter((line) => !line.startsWith(`${name}:`))
const replaced = (name: string, ...lines: string[]): string[] => [...without(name), ...lines]

describe('a handshake that only one side might believe in', () => {
  it.each([
    ['version 777', replaced('Sec-WebSocket-Version', 'Sec-WebSocket-Version: 777')], ['version 8', replaced('Sec-WebSocket-Version', 'Sec-WebSocket-Version: 8')], ['two versions', [...HANDSHAKE, 'Sec-WebSocket-Version: 8']], ['a list of versions', replaced('Sec-WebSocket-Version', 'Sec-WebSocket-Version: 13, 8')], ['no version', without('Sec-WebSocket-Version')],
    ['no key', without('Sec-WebSocket-Key')], ['an empty key', replaced('Sec-WebSocket-Key', 'Sec-WebSocket-Key:')], ['a short key', replaced('Sec-WebSocket-Key', 'Sec-WebSocket-Key: c2hvcnQ=')], ['a key of 17 bytes', replaced('Sec-WebSocket-Key', `Sec-WebSocket-Key: ${Buffer.alloc(17).toString('base64')}`)], ['two keys', [...HANDSHAKE, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==']], ['a key in another spelling', replaced('Sec-WebSocket-Key', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==')], ['a key in base64url', replaced('Sec-WebSocket-Key', 'Sec-WebSocket-Key: __________________8=_A==')],
    ['a length', [...HANDSHAKE, `Content-Length: ${SMUGGLED.length}`]], ['a length of 0', [...HANDSHAKE, 'Content-Length: 0']], ['chunks', [...HANDSHAKE, 'Transfer-Encoding: chunked']], ['a forged identity in Connection', replaced('Connection', 'Connection: Upgrade, X-User-Id')],
  ])('%s: 400, hung up, and what follows is not a request', async (_title, lines) => {
    const { statuses, answers, arrived } = await attack(`${bytesOf('GET /public/ws', lines)}${SMUGGLED}`, { answers: Infinity })
    expect(statuses).toEqual([400])
    expect(answers[0]?.closed).toBe(true)
    expect(arrived).toEqual([])
  })

  it('HTTP/1.0 opens nothing', async () => {
    const { arrived, statuses } = await attack(`${bytesOf('GET /public/ws', HANDSHAKE).replace('HTTP/1.1', 'HTTP/1.0')}${SMUGGLED}`, { answers: Infinity, timeoutMs: 1_500 })
    expect(statuses[0]).toBeGreaterThanOrEqual(200)
    expect(arrived.filter(({ target }) => target.includes('smuggled'))).toEqual([])
  })
})

describe('an upstream that does not agree', () => {
  it.each(['no-accept', 'wrong-accept', 'other-protocol', 'no-upgrade'])('with a 101 with %s: 502, and nothing flows', async (path) => {
    const { statuses, answers, arrived } = await attack([bytesOf(`GET /public/${path}`, HANDSHAKE), SMUGGLED], { answers: Infinity })
    expect(statuses).toEqual([502])
    expect(answers[0]?.closed).toBe(true)
    expect(arrived.map(({ target }) => target)).toEqual([`/public/${path}`])
  })

  it.each([['no', 426], ['yes-but-200', 200], ['endless', 200]])('with the answer %s: %i is passed on as the last one, and what followed is not a request', async (path, status) => {
    const { statuses, answers, arrived } = await attack(`${bytesOf(`GET /public/${path}`, HANDSHAKE)}${SMUGGLED}`, { answers: Infinity })
    expect(statuses).toEqual([status])
    expect(answers[0]?.closed).toBe(true)
    expect(headerOf(answers[0]!, 'upgrade')).toEqual([])
    expect(arrived).toHaveLength(1)
  })

  it.each(['no-accept', 'other-protocol'])('cannot switch a request that did not ask: %s', async (path) => {
    const { statuses, arrived } = await attack(`${bytesOf(`GET /public/${path}`)}${SMUGGLED}`, { answers: Infinity, timeoutMs: 1_000 })
    expect(statuses[0]).toBe(502)
    expect(arrived.map(({ target }) => target)).toEqual([`/public/${path}`])
  })
})

describe('an upgrade to something else', () => {
  it.each([
    ['h2c', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']], ['h2c without its settings', ['Connection: Upgrade', 'Upgrade: h2c']], ['websocket, h2c', replaced('Upgrade', 'Upgrade: websocket, h2c')], ['h2c, websocket', replaced('Upgrade', 'Upgrade: h2c, websocket')], ['two lines', [...HANDSHAKE, 'Upgrade: h2c']],
    ['websocket/13', replaced('Upgrade', 'Upgrade: websocket/13')], ['TLS/1.0', replaced('Upgrade', 'Upgrade: TLS/1.0')], ['a quoted name', replaced('Upgrade', 'Upgrade: "websocket"')], ['an upgrade that Connection does not name', replaced('Connection', 'Connection: keep-alive')],
  ])('%s is an ordinary request without it, or 400', async (_title, lines) => {
    const { statuses, arrived } = await attack(bytesOf('GET /public/ws', lines))
    expect([200, 400]).toContain(statuses[0])
    for (const { headers } of arrived) for (const name of ['upgrade', 'http2-settings', 'sec-websocket-key', 'sec-websocket-version']) expect(valuesOf(headers, name)).toEqual([])
  })

  it.each(['POST', 'PUT', 'OPTIONS', 'HEAD', 'DELETE'])('a handshake in %s is an ordinary request', async (method) => {
    const { arrived } = await attack(bytesOf(`${method} /public/ws`, [...HANDSHAKE, `Content-Length: ${SMUGGLED.length}`], SMUGGLED))
    expect(arrived.map(({ target }) => target)).toEqual(['/public/ws'])
    expect(valuesOf(arrived[0]!.headers, 'upgrade')).toEqual([])
  })

  it('the HTTP/2 preface gets nowhere', async () => {
    const { arrived } = await attack('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', { answers: Infinity, timeoutMs: 1_000 })
    expect(arrived).toEqual([])
  })
})

describe('a handshake that is refused', () => {
  it.each([401, 403])('%i: before the upstream hears of it', async (status) => {
    const lines = status === 403 ? [bearer(await token())] : []
    const before = upstream.connections()
    const { statuses, answers } = await attack(`${bytesOf('GET /admin/ws', [...HANDSHAKE, ...lines])}${SMUGGLED}`, { answers: Infinity })
    expect(statuses).toEqual([status])
    expect(answers[0]?.closed).toBe(true)
    expect(upstream.connections()).toBe(before)
  })
})
