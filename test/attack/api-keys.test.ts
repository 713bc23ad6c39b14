// Keys that are nearly keys (T47, T48). Repeats CVE-2022-31142 (fastify-bearer-auth), CVE-2026-32595 and CVE-2026-54762 (Traefik),
// CVE-2026-44332 (Fiber), CVE-2026-27586 (Caddy), and the empty keys of Wycheproof. Timing is measured in
// key-timing.test.ts; that keys are looked up by their digest is shown here by what can be configured and what cannot be presented.
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { bytesOf, KEY, startTarget } from './target.ts'

const DIGESTED = 'test-key-that-only-its-digest-knows'
const digest = createHash('sha256').update(DIGESTED).digest('hex')
const BEARER = 'ak_test_0123456789abcdef'
const { attack, secrets } = await startTarget({
  config: ({ standard }) => ({
    authenticators: {
      ...(standard['authenticators'] as object),
      digested: { type: 'api_key', keys: [{ id: 'd', sha256: digest }] },
      shared: { type: 'api_key', in: [{ bearer: true }], prefix: 'ak_test_', keys: [{ id: 'b', value: BEARER }] },
      old: { type: 'api_key', keys: [{ id: 'o', value: 'key-that-expired-yesterday', expires: '2020-01-01' }, { id: 'n', value: 'key-that-is-for-one-network', allowed_networks: ['10.0.0.0/8'] }] },
      off: { type: 'api_key', keys: [{ id: 'e', value: '' }, { id: 'f', value: 'the-only-key-that-is-on' }] },
      csv: { type: 'api_key', keys_csv: ',,named=first-key-of-the-list, second-key-of-the-list ,' },
    },
    routes: ['digested', 'shared', 'old', 'off', 'csv', 'key'].map((name) => ({ match: { path: `/${name}/**` }, auth: name === 'shared' ? ['shared', 'token'] : [name] })).concat([{ match: { path: '/optional/**' }, auth: ['key', 'anyone'] }]),
  }),
})
for (const secret of [DIGESTED, BEARER, 'key-that-expired-yesterday', 'key-that-is-for-one-network', 'the-only-key-that-is-on', 'first-key-of-the-list', 'second-key-of-the-list']) secrets.add(secret)

const send = (path: string, ...lines: string[]) => attack(bytesOf(`GET ${path}`, [...lines, 'Connection: close']))
const key = (value: string): string => `X-API-Key: ${value}`

describe('a key that is nearly one', () => {
  const flips = [...KEY].map((letter, index) => KEY.slice(0, index) + (letter === 'x' ? 'y' : 'x') + KEY.slice(index + 1))
  it('with any one letter changed is 401', async () => {
    for (const value of flips) expect((await send('/key/x', key(value))).statuses).toEqual([401])
  })

  it.each([KEY.slice(0, -1), KEY.slice(1), `${KEY}0`, `0${KEY}`, KEY + KEY, KEY.toUpperCase(), KEY.replaceAll('-', '_'), KEY.replaceAll('-', '%2D'), encodeURIComponent(`${KEY} `), `${KEY}\u00a0`, `'${KEY}'`, `"${KEY}"`, `${KEY}\\`, `Bearer ${KEY}`, `k1:${KEY}`, `k1=${KEY}`, Buffer.from(KEY).toString('base64'), createHash('sha256').update(KEY).digest('hex'), '*', '%', '.*', '__proto__', 'constructor', 'toString', 'null', 'undefined', 'true', '0', '[]', '{}', '$ne', "' OR ''='", KEY.padEnd(4_000, 'x')])('case %#: 401, also where anybody may come', async (value) => {
    for (const path of ['/key/x', '/optional/x']) {
      const { statuses, arrived } = await send(path, key(value))
      expect(statuses).toEqual([401])
      expect(arrived).toEqual([])
    }
  })

  it.each(['', ' ', '\t', '  \t '])('%j is none: 401, and nobody in particular where anybody may come', async (value) => {
    expect((await send('/key/x', key(value))).statuses).toEqual([401])
    expect((await send('/optional/x', key(value))).statuses).toEqual([200])
  })

  it('blanks around it are the carrier\'s, not the key\'s', async () => {
    expect((await send('/key/x', `X-API-Key:  ${KEY} \t`)).statuses).toEqual([200])
  })
})

describe('another scheme', () => {
  it.each([`Authorization: Bearer ${KEY}`, `Authorization: Basic ${Buffer.from(`k1:${KEY}`).toString('base64')}`, `Authorization: Basic ${Buffer.from(`${KEY}:`).toString('base64')}`, `Authorization: ApiKey ${KEY}`, `Authorization: ${KEY}`, `Authorization: Key ${KEY}`, `X-Api: ${KEY}`, `Api-Key: ${KEY}`, `X-API-Key-Id: ${KEY}`, `Cookie: X-API-Key=${KEY}`, `Cookie: api_key=${KEY}`, `Proxy-Authorization: Bearer ${KEY}`])('%# does not carry it: 401', async (line) => {
    expect((await send('/key/x', line)).statuses).toEqual([401])
  })

  it.each([`Bearer ${BEARER.slice(0, -1)}`, `Bearer ${BEARER}0`, `Bearer ${BEARER.toUpperCase()}`, `Bearer ak_live_0123456789abcdef`, `Basic ${Buffer.from(`${BEARER}:`).toString('base64')}`, `Basic ${Buffer.from(`:${BEARER}`).toString('base64')}`, BEARER, `Bearer ${BEARER}.${BEARER}.${BEARER}`, `Bearer ak_test_`])('%#: a key beside tokens is told apart by its shape, and is still compared whole', async (value) => {
    expect((await send('/shared/x', `Authorization: ${value}`)).statuses).toEqual([401])
  })

  it('the keys themselves pass', async () => {
    expect((await send('/shared/x', `Authorization: Bearer ${BEARER}`)).statuses).toEqual([200])
    expect((await send('/digested/x', key(DIGESTED))).statuses).toEqual([200])
  })
})

describe('what is kept of a key', () => {
  it.each([digest, digest.toUpperCase(), `sha256:${digest}`, Buffer.from(digest, 'hex').toString('base64'), 'd'])('%# is not the key: what leaks with the config lets nobody in', async (value) => {
    expect((await send('/digested/x', key(value))).statuses).toEqual([401])
  })

  it('neither an expired key nor one from elsewhere passes', async () => {
    expect((await send('/old/x', key('key-that-expired-yesterday'))).statuses).toEqual([401])
    expect((await send('/old/x', key('key-that-is-for-one-network'))).statuses).toEqual([403])
    expect((await send('/old/x', key('key-that-is-for-one-network'), 'X-Forwarded-For: 10.0.0.1')).statuses).toEqual([403])
  })

  it('an empty one is off, and lets nobody in', async () => {
    for (const value of ['', ' ', 'e', createHash('sha256').digest('hex')]) expect((await send('/off/x', key(value))).statuses).toEqual([401])
    expect((await send('/off/x', key('the-only-key-that-is-on'))).statuses).toEqual([200])
  })

  it('empty entries of a list are nobody, and names are not keys', async () => {
    for (const value of ['', ',', 'named', 'named=first-key-of-the-list', 'first-key-of-the-list, second-key-of-the-list', ' second']) expect((await send('/csv/x', key(value))).statuses).toEqual([401])
    for (const value of ['first-key-of-the-list', 'second-key-of-the-list']) expect((await send('/csv/x', key(value))).statuses).toEqual([200])
  })

  it('one authenticator\'s keys are not another\'s', async () => {
    for (const [path, value] of [['/digested/x', KEY], ['/key/x', DIGESTED], ['/off/x', KEY], ['/csv/x', KEY]] as const) expect((await send(path, key(value))).statuses).toEqual([401])
  })
})
