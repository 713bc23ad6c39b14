// Who asks (T25, T26, T27, T29, T30, T31). Repeats CVE-2023-36456 and CVE-2024-47070 (authentik), CVE-2020-28483 (gin), CVE-2022-24112
// (APISIX), CVE-2026-39409, CVE-2026-47674 and CVE-2026-24398 (hono), GHSA-7jmw-8259-q9jx (Traefik), CVE-2026-40199 (Net::CIDR::Lite),
// CVE-2021-28918 (netmask), CVE-2021-29921 (Python), CVE-2021-29923 (Go), CVE-2026-30827 (express-rate-limit), GHSA-5847-rm3g-23mw.
import { afterAll, describe, expect, it } from 'vitest'
import { rawRequest } from '../support/raw-client.ts'
import { valuesOf } from '../support/strict-http.ts'
import { startAttacked } from './attacked.ts'
import { bytesOf, startTarget } from './target.ts'

const ROUTES = [
  { match: { path: '/office/**' }, auth: 'none', allowed_networks: ['10.1.0.0/16'] },
  { match: { path: '/open/**' }, auth: 'none', denied_networks: ['10.66.0.0/16', '::/96'] },
  { match: { path: '/tls/**' }, auth: 'none', require_https: true },
  { match: { path: '/few/**' }, auth: ['anyone'], rate_limit: [{ name: 'few', key: 'client_ip', limit: '3/hour' }] },
]
const stranger = await startTarget({ config: { routes: ROUTES } })
const behind = await startTarget({ config: { routes: ROUTES, client_ip: { trusted_proxies: ['127.0.0.1', '10.9.0.0/16'] } } })
const office = (...lines: string[]): string => bytesOf('GET /office/x', [...lines, 'Connection: close'])
const xff = (value: string): string => `X-Forwarded-For: ${value}`

const FORGED = ['X-Forwarded-For', 'x-forwarded-for', 'X_Forwarded_For', 'X.Forwarded.For', 'X-Real-IP', 'True-Client-IP', 'CF-Connecting-IP', 'X-Client-IP', 'X-Cluster-Client-IP', 'Fastly-Client-IP', 'Fly-Client-IP', 'X-Remote-IP', 'X-Remote-Addr', 'X-Originating-IP', 'X-Azure-ClientIP', 'X-Forwarded', 'Client-IP', 'X-ProxyUser-IP', 'X-Envoy-External-Address']

describe('an address that a stranger claims', () => {
  it.each(FORGED)('%s is not believed and does not arrive', async (name) => {
    expect((await stranger.attack(office(`${name}: 10.1.2.3`))).statuses).toEqual([403])
    const { arrived } = await stranger.attack(bytesOf('GET /open/x', [`${name}: 10.1.2.3`, 'Connection: close']))
    expect(valuesOf(arrived[0]!.headers, 'x-forwarded-for')).toEqual(['127.0.0.1'])
    expect(JSON.stringify(arrived[0]!.headers)).not.toContain('10.1.2.3')
  })

  it.each(['for=10.1.2.3', 'for="10.1.2.3:80";proto=https', 'for=10.1.2.3, for=127.0.0.1', 'For=10.1.2.3;by=127.0.0.1;host=x'])('Forwarded: %s is not believed', async (value) => {
    expect((await stranger.attack(office(`Forwarded: ${value}`))).statuses).toEqual([403])
  })

  it.each(['X-Forwarded-Proto: https', 'Forwarded: proto=https', 'X-Forwarded-Ssl: on', 'Front-End-Https: on', 'X-Url-Scheme: https', 'X-Forwarded-Scheme: https'])('%s is not HTTPS', async (line) => {
    expect((await stranger.attack(bytesOf('GET /tls/x', [line, 'Connection: close']))).statuses).toEqual([403])
  })

  it('does not change whose budget is spent, whatever it is', async () => {
    const statuses: number[] = []
    for (let nth = 0; nth < 20; nth += 1) statuses.push(...(await stranger.attack(bytesOf('GET /few/x', [xff(`10.1.${nth}.${nth}`), `X-Real-IP: 10.2.${nth}.1`, 'Connection: close']))).statuses)
    expect(statuses).toEqual([200, 200, 200, ...Array.from({ length: 17 }, () => 429)])
  })
})

describe('what a trusted proxy passes on', () => {
  it.each(['10.1.2.3', '8.8.8.8, 10.1.2.3', 'nonsense, 10.1.2.3', '10.1.2.3, 10.9.0.1', '10.66.0.1, 10.1.2.3, 10.9.1.1, 10.9.2.2', '::ffff:10.1.2.3', '::FFFF:10.1.2.3', '::ffff:a01:203', '0:0:0:0:0:ffff:10.1.2.3', '0000:0000:0000:0000:0000:FFFF:0a01:0203', '  10.1.2.3\t'])('%j is the office', async (value) => {
    const { statuses, arrived } = await behind.attack(office(xff(value)))
    expect(statuses).toEqual([200])
    expect(valuesOf(arrived[0]!.headers, 'x-forwarded-for')).toEqual(['10.1.2.3'])
  })

  it.each([
    '', ' ', ',', 'a', 'unknown', '_hidden', '127.0.0.1', '127.0.0.1:80', '10.1.2.3:80', '[::1]:80', '[10.1.2.3]', '"10.1.2.3"', '10.1.2.3, unknown', '10.1.2.3,', '10.1.2.3, 8.8.8.8', '10.1.2.3 8.8.8.8', '10.1.2.3;8.8.8.8', '10.1.2.3, ::1',
    '010.1.2.3', '0012.1.2.3', '10.01.2.3', '0x0a.1.2.3', '0xa010203', '167838211', '10.1.515', '10.66051', '10.1.2', '10.1.2.3.', '.10.1.2.3', '10.1.2.256', '10.1.2.-3', '10.1.2.3/32', '10.1.2.3%lo', '１０.1.2.3', '10。1。2。3', '+10.1.2.3', '10.1.2.3e0',
    '::10.1.2.3', '::ffff:0:10.1.2.3', '64:ff9b::10.1.2.3', '2002:a01:203::', '::ffff:10.1.2.3%1', 'fe80::1%lo', '::ffff:010.1.2.3', '::ffff:10.1.2.3.4', '::ffff:10.1.2', '10.1.2.3\\, 8.8.8.8', '<10.1.2.3>',
  ])('%j is not the office', async (value) => {
    const { statuses, arrived } = await behind.attack(office(xff(Buffer.from(value).toString('latin1'))))
    expect(statuses).toEqual([403])
    expect(arrived).toEqual([])
  })

  it('is one list, however many lines it takes, read from the right', async () => {
    expect((await behind.attack(office(xff('10.1.2.3'), xff('8.8.8.8')))).statuses).toEqual([403])
    expect((await behind.attack(office(xff('8.8.8.8'), xff('10.1.2.3')))).statuses).toEqual([200])
    expect((await behind.attack(office('X-Real-IP: 10.1.2.3'))).statuses).toEqual([403])
    expect((await behind.attack(office('Forwarded: for=10.1.2.3'))).statuses).toEqual([403])
  })

  it('is 431 when it is 64 KiB', async () => {
    expect((await behind.attack(office(xff(Array.from({ length: 6_000 }, () => '10.1.2.3').join(', '))))).statuses).toEqual([431])
  })

  it.each(['10.66.0.1', '::ffff:10.66.0.1', '::1', '::127.0.0.1'])('%s cannot slip past a denied network', async (ip) => {
    expect((await behind.attack(bytesOf('GET /open/x', [xff(ip), 'Connection: close']))).statuses).toEqual([403])
  })

  it.each(['https', 'HTTPS', 'wss'])('says %s: HTTPS', async (proto) => {
    expect((await behind.attack(bytesOf('GET /tls/x', [xff('8.8.8.8'), `X-Forwarded-Proto: ${proto}`, 'Connection: close']))).statuses).toEqual([200])
  })

  it.each(['http', 'https, http', 'ftp', 'https;', 'on', 'httpshttps', ' '])('says %j: not HTTPS', async (proto) => {
    expect([400, 403]).toContain((await behind.attack(bytesOf('GET /tls/x', [xff('8.8.8.8'), `X-Forwarded-Proto: ${proto}`, 'Connection: close']))).statuses[0])
  })
})

describe('budgets', () => {
  const spend = async (addresses: readonly string[]): Promise<number[]> => {
    const statuses: number[] = []
    for (const address of addresses) statuses.push(...(await behind.attack(bytesOf('GET /few/x', [xff(address), 'Connection: close']))).statuses)
    return statuses
  }
  it('are shared by one /64, and not by others', async () => {
    expect(await spend(Array.from({ length: 10 }, (_, nth) => `2001:db8:0:1::${(nth + 1).toString(16)}`))).toEqual([200, 200, 200, ...Array.from({ length: 7 }, () => 429)])
    expect(await spend(['2001:db8:0:2::1', '2001:db8:1:1::1'])).toEqual([200, 200])
  })

  it('are not shared by IPv4 addresses, and are the same for every spelling of one', async () => {
    expect(await spend(Array.from({ length: 12 }, (_, nth) => `198.51.100.${nth + 1}`))).toEqual(Array.from({ length: 12 }, () => 200))
    expect(await spend(['203.0.113.9', '::ffff:203.0.113.9', '::FFFF:cb00:7109', '0:0:0:0:0:ffff:203.0.113.9'])).toEqual([200, 200, 200, 429])
  })
})

describe('the PROXY protocol', () => {
  const v1 = (line: string): string => `PROXY ${line}\r\n`
  const v2 = (command: number, family: number, address: Buffer): string => Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from([command, family, address.length >> 8, address.length & 255]), address]).toString('latin1')
  const ipv4 = (text: string): Buffer => Buffer.from([...text.split('.').map(Number), 127, 0, 0, 1, 0, 80, 0, 80])
  const listen = { address: '127.0.0.1:0', proxy_protocol: true, headers_timeout: '1s' }

  it('names the client, in both versions, and only once', async () => {
    const { attack } = await named
    for (const header of [v1('TCP4 10.1.2.3 127.0.0.1 1234 80'), v2(0x21, 0x11, ipv4('10.1.2.3'))]) {
      const { statuses, arrived } = await attack(`${header}${office()}`)
      expect(statuses).toEqual([200])
      expect(valuesOf(arrived[0]!.headers, 'x-forwarded-for')).toEqual(['10.1.2.3'])
      expect((await attack(`${header}${v1('TCP4 10.1.2.3 127.0.0.1 1 80')}${office()}`, { answers: Infinity })).statuses).toEqual([400])
    }
  })

  it.each([
    '', v1('TCP4 10.1.2.3 127.0.0.1 1234'), v1('TCP4 10.1.2.3 127.0.0.1 1234 80 x'), v1('TCP4 010.1.2.3 127.0.0.1 1234 80'), v1('TCP4 0x0a.1.2.3 127.0.0.1 1 80'), v1('TCP4 ::1 ::1 1 80'), v1('TCP6 10.1.2.3 127.0.0.1 1 80'), v1('TCP4 10.1.2.3 127.0.0.1 99999 80'), v1('TCP4  10.1.2.3 127.0.0.1 1 80'), v1('UDP4 10.1.2.3 127.0.0.1 1 80'), v1('UNKNOWN'), v1('UNKNOWN 10.1.2.3 127.0.0.1 1 80'), v1(''), 'PROXY TCP4 10.1.2.3 127.0.0.1 1 80\n', `PROXY TCP4 10.1.2.3 127.0.0.1 1 80${' '.repeat(200)}\r\n`, 'proxy TCP4 10.1.2.3 127.0.0.1 1 80\r\n',
    v2(0x11, 0x11, ipv4('10.1.2.3')), v2(0x22, 0x11, ipv4('10.1.2.3')), v2(0x21, 0x11, Buffer.alloc(3)), v2(0x21, 0x21, ipv4('10.1.2.3')), v2(0x21, 0x00, ipv4('10.1.2.3')), v2(0x21, 0x31, Buffer.alloc(216)),
  ])('is hung up on without an answer when it is not one, case %#', async (header) => {
    const { attack } = await named
    const { answers, decided, arrived } = await attack(`${header}${office()}`, { answers: Infinity, timeoutMs: 2_500 })
    expect({ answers, decided, arrived }).toEqual({ answers: [], decided: [], arrived: [] })
  })

  it('is for trusted proxies alone: a stranger is hung up on, header or not', async () => {
    const attacked = await startAttacked({ version: 1, listen, ops: 'off', upstream: 'http://127.0.0.1:1', client_ip: { trusted_proxies: ['10.0.0.0/8'] }, auth: [{ api_keys: { keys: [{ id: 'k', value: 'some-key-of-a-client' }] } }] })
    for (const header of ['', v1('TCP4 10.1.2.3 127.0.0.1 1234 80')]) expect(await rawRequest(attacked.port, `${header}${office()}`)).toEqual([])
    expect(attacked.events.decided).toEqual([])
    await attacked.close()
  })

  it('is no header where it is off: 400', async () => {
    expect((await stranger.attack(`${v1('TCP4 10.1.2.3 127.0.0.1 1234 80')}${office()}`, { answers: Infinity })).statuses).toEqual([400])
    expect((await behind.attack(`${v1('TCP4 10.1.2.3 127.0.0.1 1234 80')}${office()}`, { answers: Infinity })).statuses).toEqual([400])
  })

  const named = startTarget({ preface: v1('TCP4 192.0.2.1 127.0.0.1 1 80'), config: { listen, routes: ROUTES, client_ip: { trusted_proxies: ['127.0.0.1'] } } })
  afterAll(() => named)
})
