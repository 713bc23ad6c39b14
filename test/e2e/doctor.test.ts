import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { drainCheck, mountCheck, mountPoints, nodeCheck, trustCheck } from '../../src/cli/doctor/config-checks.ts'
import type { Diagnosis } from '../../src/cli/doctor/diagnosis.ts'
import { peersCheck } from '../../src/cli/doctor/live-peers.ts'
import { clockCheck } from '../../src/cli/doctor/network-checks.ts'
import { selfAttack } from '../../src/cli/doctor/self-attack.ts'
import { compile } from '../../src/config/compile.ts'
import { createResources } from '../../src/config/resources.ts'
import { configSchema, type Config } from '../../src/config/schema.ts'
import { SILENT } from '../../src/model/event.ts'
import { startIssuer, type Issuer } from '../support/issuer.ts'
import { runPostern, startPostern } from '../support/running-postern.ts'

const configOf = (written: Record<string, unknown>): Config => configSchema.parse({ version: 1, ...written })

describe('what a config alone tells', () => {
  it.each<[string, Diagnosis, Diagnosis['level']]>([
    ['a patched Node', nodeCheck('26.12.1'), 'ok'],
    ['a Node that lacks fixes', nodeCheck('26.10.0'), 'warning'],
    ['a drain that fits', drainCheck(configOf({}), {}), 'ok'],
    ['a drain that is cut off', drainCheck(configOf({ drain: { delay: '10s', timeout: '25s' } }), {}), 'problem'],
    ['a drain in a longer grace period', drainCheck(configOf({ drain: { delay: '10s', timeout: '25s' } }), { POSTERN_GRACE_PERIOD_SECONDS: '60' }), 'ok'],
    ['nobody trusted', trustCheck(configOf({})), 'warning'],
    ['nobody trusted, on purpose', trustCheck(configOf({ client_ip: { direct: true } })), 'ok'],
    ['half of the internet', trustCheck(configOf({ client_ip: { trusted_proxies: ['0.0.0.0/1', '128.0.0.0/1'] } })), 'problem'],
    ['private networks', trustCheck(configOf({ client_ip: { trusted_proxies: ['10.0.0.0/8', 'fd00::/32', 'unix'] } })), 'ok'],
  ])('%s', (_what, { level, fix }, expected) => {
    expect([level, fix !== undefined]).toEqual([expected, expected !== 'ok'])
  })

  it('a secret that is mounted alone never rotates', () => {
    const mountinfo = '36 35 98:0 /mnt1 / rw,noatime - ext3 /dev/root rw\n50 36 0:44 /x /etc/postern/jwt\\040secret ro - tmpfs tmpfs rw\n'
    expect(mountPoints(mountinfo)).toEqual(['/', '/etc/postern/jwt secret'])
    const found = mountCheck({ watched: ['/etc/postern/postern.yaml', '/etc/postern/jwt secret'] }, mountPoints(mountinfo))
    expect(found.map(({ level, text }) => [level, text.startsWith('/etc/postern/jwt secret')])).toEqual([['warning', true]])
    expect(mountCheck({ watched: ['/etc/postern/postern.yaml'] }, ['/', '/etc/postern'])[0]!.level).toBe('ok')
  })
})

describe('peers that were seen', () => {
  const said = async (peers: unknown, more: Record<string, unknown> = {}): Promise<readonly Diagnosis[]> => {
    const port = await serve((_request, response) => response.end(JSON.stringify({ peers, others: 0 })))
    return peersCheck(configOf({ ops: `127.0.0.1:${port}`, ...more }))
  }
  const seen = { peer: '10.0.3.7', believed: 0, ignored: 0, refused: 0 }

  it.each<[string, object, Record<string, unknown>, Diagnosis['level'], RegExp]>([
    ['one that may speak for clients', { believed: 7 }, {}, 'ok', /10\.0\.3\.7 speaks for clients/],
    ['one whose word is not believed', { ignored: 3 }, {}, 'warning', /named another client in 3 requests[^]*trusted_proxies/],
    ['one that asks and is not answered', { refused: 5 }, {}, 'warning', /asked for 5 decisions[^]*trusted_proxies/],
    ['one that does not know the secret', { refused: 5 }, { forward_auth: { secret: 's'.repeat(16) } }, 'warning', /X-Postern-Secret/],
  ])('%s', async (_what, counts, more, level, words) => {
    const found = await said([{ ...seen, ...counts }], more)
    expect(found.map(({ level: is, text, fix }) => [is, words.test(`${text} ${fix}`)])).toEqual([[level, true]])
  })

  it('nobody can say when the ops listener does not answer, or answers something else', async () => {
    expect((await said('nonsense')).map(({ level }) => level)).toEqual(['warning'])
    expect((await peersCheck(configOf({ ops: '127.0.0.1:1' }))).map(({ level }) => level)).toEqual(['warning'])
    expect((await peersCheck(configOf({ ops: 'off' }))).map(({ level }) => level)).toEqual(['ok'])
  })
})

const servers: Server[] = []
function serve(listener: RequestListener, host = '127.0.0.1'): Promise<number> {
  const server = createServer(listener)
  servers.push(server)
  return new Promise((resolve) => server.listen(0, host, () => resolve((server.address() as AddressInfo).port)))
}
afterEach(() => servers.splice(0).forEach((server) => void server.close(() => undefined).closeAllConnections()))

describe('the clock', () => {
  it.each([[0, 'ok'], [-60_000, 'problem'], [60_000, 'problem']] as const)('%d ms away', async (skew, level) => {
    const port = await serve((_request, response) => response.setHeader('date', new Date(Date.now() + skew).toUTCString()).end())
    expect((await clockCheck(`http://127.0.0.1:${port}/`)).level).toBe(level)
  })
  it('of somebody who tells no time', async () => {
    expect((await clockCheck('http://127.0.0.1:1/')).level).toBe('warning')
  })
})

describe('the attack on itself', () => {
  const attack = async (wrong: (names: ReturnType<typeof compile>['gateway']) => ReturnType<typeof compile>['gateway']): Promise<Diagnosis[]> => {
    const config = configOf({ upstreams: { default: { url: 'http://127.0.0.1:1' } }, authenticators: { idp: { type: 'jwt', issuer: 'https://idp.invalid', jwks_url: 'http://127.0.0.1:1/', audience: 'api' } }, identity: { 'X-User-Id': 'sub', 'X-Org-Name': 'org' } })
    const resources = createResources({ clock: Date.now, observer: SILENT })
    resources.begin()
    const { gateway } = compile(config, resources)
    const found = await selfAttack(config, wrong(gateway))
    await resources.closeAll()
    return [...found]
  }

  it('finds nothing in a config as it is compiled', async () => {
    expect((await attack((gateway) => gateway)).map(({ name, level }) => [name, level])).toEqual([['forged identities', 'ok'], ['spoofed addresses', 'ok']])
  })

  it('would find what reaches the API', async () => {
    // Break what strips, and see it found: names under another spelling, and everything else that is owned.
    const broken = await attack((gateway) => ({ ...gateway, wire: { ...gateway.wire, owned: { ...gateway.wire.owned, other: new Set(), prefixes: [], identity: new (class extends Set<string> { override has(): boolean { return false } })(gateway.wire.owned.identity) } } }))
    expect(broken.map(({ level }) => level)).toEqual(['problem', 'problem'])
    expect(broken[0]!.text).toContain('X_USER_ID')
  })
})

describe('postern doctor', () => {
  let folder: string
  let issuer: Issuer
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-doctor-'))
    issuer = await startIssuer()
  })
  afterAll(async () => {
    await issuer.close()
    rmSync(folder, { recursive: true })
  })
  const write = (upstream: number): string => {
    const file = join(folder, 'postern.yaml')
    writeFileSync(file, `version: 1\nlisten: \${LISTEN:-127.0.0.1:8080}\nops: \${OPS_LISTEN:-127.0.0.1:9090}\nupstream: http://127.0.0.1:${upstream}\nauth: [{ jwt: { issuer: "${issuer.url}", jwks_url: "${issuer.jwksUrl}", audience: api } }]\nclient_ip: { direct: true }\ndrain: { delay: 0 }\n`)
    return file
  }
  const diagnose = async (...args: string[]): Promise<{ code: number | null; levels: Record<string, string>; found: Diagnosis[] }> => {
    const { code, stdout, stderr } = await runPostern(['doctor', '--json', ...args])
    expect(stdout, stderr).not.toBe('')
    const found = JSON.parse(stdout) as Diagnosis[]
    return { code, found, levels: Object.fromEntries(found.map(({ name, level }) => [name, level])) }
  }

  it('finds an installation in order', async () => {
    const file = write(await serve((_request, response) => response.end()))
    const { code, levels } = await diagnose('--config', file)
    expect(levels).toMatchObject({ config: 'ok', upstream: 'ok', bypass: 'ok', clock: 'ok', [`keys of ${issuer.url}`]: 'ok', 'forged identities': 'ok', 'spoofed addresses': 'ok', drain: 'ok', files: 'ok' })
    expect(code).toBe(0)
  })

  it.skipIf(!Object.values(networkInterfaces()).flat().some((one) => one && !one.internal && one.family === 'IPv4'))('finds an API that others can reach without it', async () => {
    const file = write(await serve((_request, response) => response.end(), '0.0.0.0'))
    const { code, levels } = await diagnose('--config', file)
    expect([code, levels['bypass']]).toEqual([1, 'problem'])
  })

  it('finds an API that is not there, and keys that cannot be had', async () => {
    const file = write(1)
    issuer.behave('error')
    try {
      const { code, levels } = await diagnose('--config', file)
      expect([code, levels['upstream'], levels[`keys of ${issuer.url}`]]).toEqual([1, 'problem', 'problem'])
      // Nothing is said for the API as long as nothing answers.
      expect(levels['bypass']).toBe('warning')
    } finally {
      issuer.behave('ok')
    }
  })

  it('attacks a running instance, and finds what believes a header in front of it', async () => {
    const file = write(await serve((_request, response) => response.end()))
    const postern = await startPostern({ config: file })
    const naive = await serve((incoming, response) => {
      response.statusCode = incoming.headers['x-forwarded-for'] === '127.0.0.1' ? 200 : 401
      if (incoming.url === '/metrics') response.setHeader('content-type', 'text/plain; version=0.0.4').statusCode = 200
      response.end()
    })
    try {
      const good = await diagnose('--config', file, '--live', `${postern.url}/orders`)
      expect([good.code, good.levels]).toEqual([0, expect.objectContaining({ 'live forgeries': 'ok', 'live metrics': 'ok', 'live checks': 'ok' })])
      const bad = await diagnose('--config', file, '--live', `http://127.0.0.1:${naive}/orders`)
      expect([bad.code, bad.levels]).toEqual([1, expect.objectContaining({ 'live forgeries': 'problem', 'live metrics': 'problem' })])
    } finally {
      await postern.stop()
    }
  })

  it('asks for decisions as a stranger where forward-auth is on', async () => {
    const file = join(folder, 'checks.yaml')
    writeFileSync(file, `version: 1\nmode: forward_auth\nlisten: 127.0.0.1:8080\nops: off\nroutes: [{ auth: none }]\nclient_ip: { trusted_proxies: [127.0.0.1] }\n`)
    const { code, levels } = await diagnose('--config', file)
    expect([code, levels['checks']]).toEqual([0, 'ok'])
  })

  it('every finding that is not fine says what to do', async () => {
    const { found } = await diagnose('--config', write(1))
    for (const { level, fix } of found) expect(fix !== undefined).toBe(level !== 'ok')
  })
})
