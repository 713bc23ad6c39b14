import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runPostern, startPostern, type RunningPostern } from '../support/running-postern.ts'

const KEY = 'good-key-123'

/** The least config there is; `more` is added at the end. */
const config = (upstream: string, more = ''): string => `
version: 1
listen: \${LISTEN}
ops: \${OPS_LISTEN}
upstream: ${upstream}
client_ip: {direct: true}
auth:
  - api_keys: {keys: [{id: k1, value: ${KEY}, subject: svc}]}
${more.includes('drain:') ? '' : 'drain: {delay: 300ms, timeout: 5s}'}
${more}`

let folder = ''
let upstream: Server | undefined
let running: RunningPostern | undefined
let url = ''

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-run-'))
  upstream = createHttpServer((request, response) => {
    setTimeout(() => response.end(request.headers['x-user-id']), request.url === '/slow' ? 1_000 : 0)
  })
  await new Promise<void>((resolve) => upstream?.listen(0, '127.0.0.1', resolve))
  const address = upstream.address()
  url = typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : ''
})

afterEach(async () => {
  await running?.stop()
  running = undefined
  upstream?.closeAllConnections()
  upstream?.close()
  rmSync(folder, { recursive: true })
})

function write(text: string): string {
  const file = join(folder, 'postern.yaml')
  writeFileSync(file, text)
  return file
}

async function start(more = '', env: Readonly<Record<string, string>> = {}): Promise<RunningPostern> {
  running = await startPostern({ config: write(config(url, more)), env })
  return running
}

const ask = (path = '/', key = KEY): Promise<Response> => fetch(`${running?.url}${path}`, { headers: { 'x-api-key': key } })
const readyz = async (): Promise<string> => (await fetch(`${running?.opsUrl}/readyz?verbose`)).text()
const metric = async (name: string): Promise<string | undefined> => (await (await fetch(`${running?.opsUrl}/metrics`)).text()).split('\n').find((line) => line.startsWith(`${name} `))?.split(' ')[1]

describe('postern run', () => {
  it('guards the API, tells it who asks, and records each request once', async () => {
    await start()
    expect((await ask()).status).toBe(200)
    expect(await (await ask()).text()).toBe('svc')
    expect((await ask('/', 'wrong-key-456')).status).toBe(401)
    await expect.poll(() => running?.audit().length).toBe(3)
    expect(running?.audit()[2]).toMatchObject({ 'event.outcome': 'failure', 'event.reason': 'key_unknown', 'http.response.status_code': 401, 'url.path': '/' })
    expect(running?.output()).not.toContain(KEY)
    expect(running?.output()).not.toContain('wrong-key-456')
  })

  it('says each mistake with its place and ends with 78', async () => {
    const { code, stderr } = await runPostern(['run', '--config', write('version: 1\nlissten: x\nupstream: http://127.0.0.1:1\n')])
    expect(code).toBe(78)
    expect(stderr).toMatch(/postern\.yaml:2:1 .*lissten.*Did you mean "listen"/)
  })

  it('says which address is taken and ends with 1', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const address = taken.address()
    const LISTEN = `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
    const { code, stderr } = await runPostern(['run', '--config', write(config(url))], { LISTEN, OPS_LISTEN: '127.0.0.1:0' })
    taken.close()
    expect(code).toBe(1)
    expect(stderr).toContain(`${LISTEN} is in use`)
  })

  it('refuses to start without certificate checks', async () => {
    const { code, stderr } = await runPostern(['run', '--config', write(config(url))], { NODE_TLS_REJECT_UNAUTHORIZED: '0', LISTEN: '127.0.0.1:0', OPS_LISTEN: 'off' })
    expect(code).toBe(78)
    expect(stderr).toContain('NODE_TLS_REJECT_UNAUTHORIZED=0')
  })

  it('writes the audit log to a file that only its owner reads, with nothing lost at the end', async () => {
    const file = join(folder, 'audit.log')
    await start(`audit: ${file}`)
    await Promise.all(Array.from({ length: 20 }, () => ask()))
    await running?.stop()
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line)['user.id'])).toEqual(Array.from({ length: 20 }, () => 'svc'))
  })
})

describe('a reload', () => {
  it('of a changed file takes the new config, and keeps counters', async () => {
    await start('rate_limit: [{name: all, key: principal, limit: 3/hour}]')
    await ask()
    await ask()
    write(config(url, 'rate_limit: [{name: all, key: principal, limit: 3/hour}]\nidentity: {X-Who: sub}'))
    await expect.poll(readyz).toContain('[+]config ok')
    await expect.poll(() => running?.output()).toContain('reload_taken')
    expect((await ask()).status).toBe(200)
    expect((await ask()).status).toBe(429)
  })

  it('on SIGHUP reads again even what nobody saw change', async () => {
    await start('reload: {watch: false}')
    write(config(url, 'reload: {watch: false}\npublic: ["GET /open"]'))
    running?.child.kill('SIGHUP')
    await expect.poll(async () => (await fetch(`${running?.url}/open`)).status).toBe(200)
  })

  it('sees the swap of a Kubernetes volume', async () => {
    const versioned = (name: string, text: string): void => {
      mkdirSync(join(folder, name))
      writeFileSync(join(folder, name, 'postern.yaml'), text)
      symlinkSync(name, join(folder, '..data.next'))
      renameSync(join(folder, '..data.next'), join(folder, '..data'))
    }
    versioned('..1', config(url))
    symlinkSync('..data/postern.yaml', join(folder, 'postern.yaml'))
    running = await startPostern({ config: join(folder, 'postern.yaml') })
    versioned('..2', config(url, 'public: ["GET /open"]'))
    await expect.poll(async () => (await fetch(`${running?.url}/open`)).status).toBe(200)
  })

  it('of a bad file changes nothing, and log, metric and /readyz?verbose say so until it is mended', async () => {
    await start()
    write(config(url, 'nonsense: true'))
    await expect.poll(readyz).toMatch(/\[!\]config degraded: the last reload was rejected.*nonsense/)
    expect((await ask()).status).toBe(200)
    expect((await fetch(`${running?.opsUrl}/readyz`)).status).toBe(200)
    expect(await metric('postern_config_last_reload_successful')).toBe('0')
    await expect.poll(() => running?.output()).toContain('reload_rejected')
    write(config(url))
    await expect.poll(readyz).toContain('[+]config ok')
    expect(await metric('postern_config_last_reload_successful')).toBe('1')
    await expect.poll(() => running?.output()).toContain('the config on disk is the one in use')
    expect(running?.output()).not.toContain('reload_taken')
  })

  it('with other listener addresses takes the rest and says that it needs a restart', async () => {
    await start()
    write(config(url, 'public: ["GET /open"]').replace('${OPS_LISTEN}', '127.0.0.1:1'))
    await expect.poll(readyz).toContain('a new value of ops needs a restart')
    expect((await fetch(`${running?.url}/open`)).status).toBe(200)
  })

  it('does not interrupt a request', async () => {
    await start()
    const slow = ask('/slow')
    await wait(100)
    write(config(url, 'identity: {X-Who: sub}'))
    expect((await slow).status).toBe(200)
  })
})

describe('SIGTERM', () => {
  it('makes it not ready at once, serves on for the delay, finishes what is under way, and ends with 0', async () => {
    await start()
    const slow = ask('/slow')
    await wait(100)
    running?.child.kill('SIGTERM')
    await expect.poll(async () => (await fetch(`${running?.opsUrl}/readyz`)).status, { interval: 10 }).toBe(503)
    expect((await fetch(`${running?.opsUrl}/livez`)).status).toBe(200)
    expect((await ask()).status).toBe(200)
    expect((await slow).status).toBe(200)
    expect(await running?.stop()).toBe(0)
  })

  it('a second time ends at once', async () => {
    await start('drain: {delay: 60s, timeout: 60s}')
    running?.child.kill('SIGTERM')
    await wait(100)
    const asked = performance.now()
    running?.child.kill('SIGTERM')
    expect(await running?.stop()).toBe(1)
    expect(performance.now() - asked).toBeLessThan(2_000)
  })
})

describe('postern healthcheck', () => {
  it('is 0 while the instance of the same config is ready, and 1 when nobody answers', async () => {
    const instance = await start()
    expect((await instance.command('healthcheck', '-c', join(folder, 'postern.yaml'))).code).toBe(0)
    await instance.stop()
    expect((await instance.command('healthcheck', '-c', join(folder, 'postern.yaml'))).code).toBe(1)
  })
})
