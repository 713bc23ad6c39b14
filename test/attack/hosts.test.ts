// Host (T22, T15). Repeats CVE-2024-32652 (@hono/node-server, a Host that crashes), CVE-2026-55602 (http-proxy-middleware, hosts by
// substring), CVE-2024-52003 (Traefik), CVE-2026-27588 (Caddy, case), and finding F7 (two Host lines).
import { describe, expect, it } from 'vitest'
import { bytesOf, startTarget } from './target.ts'

const { attack } = await startTarget({
  config: {
    routes: [
      { match: { path: '/**', host: ['public.test'] }, auth: 'none' }, { match: { path: '/**', host: ['*.apps.test'] }, auth: 'none' },
      { match: { path: '/**', host: ['api.test'] }, auth: ['token'] },
    ],
  },
})

const BAD = ['', ' ', 'a/b', 'a,b', 'a@b', 'public.test@api.test', '[::1', '::1', '[::1]x', '[::ffff:1.2.3.4%25lo]', 'a b', 'a\tb', 'public.test:99999', 'public.test:0', 'public.test:', 'public.test:080', 'public.test:80:80', 'public.test:-1', 'public.test:8O', '.public.test', 'public..test', 'public.test.', 'public.test/', 'public.test#', 'public.test?x', 'http://public.test', 'public.test\\api.test', 'pub%6cic.test', 'публичный.test', 'public\u00e9.test', '*', '*.apps.test', '<script>', "a'b", 'a"b', 'a;b', 'a|b', 'a{b}', `${'a'.repeat(300)}.test`, 'public.test, api.test', 'public.test api.test']

describe('a Host that is none', () => {
  it.each(BAD)('%j: 400, hung up', async (host) => {
    const { statuses, arrived } = await attack(bytesOf('GET /x', [`Host: ${Buffer.from(host).toString('latin1')}`]), { answers: Infinity })
    expect(statuses).toEqual([400])
    expect(arrived).toEqual([])
  })

  it('of 64 KiB is 431', async () => {
    expect((await attack(bytesOf('GET /x', [`Host: ${'a'.repeat(65_536)}`]), { answers: Infinity })).statuses).toEqual([431])
  })

  it.each(['HTTP/1.1', 'HTTP/1.0'])('is missing in %s: 400', async (version) => {
    expect((await attack(`GET /x ${version}\r\nX-A: b\r\n\r\n`, { answers: Infinity })).statuses).toEqual([400])
  })

  it.each([['Host: public.test', 'Host: api.test'], ['Host: api.test', 'Host: public.test'], ['Host: public.test', 'host: public.test'], ['Host:', 'Host: public.test'], ['Host: public.test', 'X-A: b', 'HOST: api.test']])('stands there twice (%s, %s): 400', async (...lines) => {
    expect((await attack(bytesOf('GET /x', lines), { answers: Infinity })).statuses).toEqual([400])
  })
})

describe('whose route it is', () => {
  it.each([
    ['public.test', 200], ['PUBLIC.test', 200], ['public.test:8080', 200], ['a.apps.test', 200], ['a.b.apps.test', 200], ['api.test', 401], ['API.TEST:443', 401],
    ['apps.test', 404], ['xapps.test', 404], ['public.test.evil.test', 404], ['evilpublic.test', 404], ['public.tes', 404], ['a.public.test', 404], ['apps.test.evil', 404], ['127.0.0.1', 404], ['[::1]:80', 404], ['localhost', 404], ['public_test', 404],
  ])('%s is %i', async (host, status) => {
    expect((await attack(bytesOf('GET /x', [`Host: ${host}`, 'Connection: close']))).statuses).toEqual([status])
  })

  it.each(['X-Forwarded-Host', 'X-Host', 'X-Original-Host', 'X-HTTP-Host-Override', 'Forwarded', 'X-Forwarded-Server', 'X-Forwarded-Prefix', 'X-Forwarded-Port', 'X-Forwarded-Scheme', 'X-Forwarded-Uri', 'X-Original-URL', 'X-Rewrite-URL', 'X_Forwarded_Host', 'X.Host'])('%s of a stranger changes nothing and does not arrive', async (name) => {
    const value = name === 'Forwarded' ? 'for=1.2.3.4;host=public.test;proto=https' : 'public.test'
    expect((await attack(bytesOf('GET /x', ['Host: api.test', `${name}: ${value}`, 'Connection: close']))).statuses).toEqual([401])
    const { arrived } = await attack(bytesOf('GET /x', ['Host: public.test', `${name}: ${value.replace('public', 'evil')}`, 'Connection: close']))
    expect(JSON.stringify(arrived[0]!.headers)).not.toContain('evil')
  })

  it.each(['http://public.test/x', 'https://public.test/x', 'http://public.test:80/x', 'HTTP://PUBLIC.TEST/x', '//public.test/x', 'public.test/x', 'public.test', 'ws://public.test/x', 'http:/x', 'http:///x'])('the target %s does not replace it: 400', async (target) => {
    for (const host of ['api.test', 'public.test']) expect((await attack(bytesOf(`GET ${target}`, [`Host: ${host}`]), { answers: Infinity })).statuses).toEqual([400])
  })
})
