import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runPostern } from '../support/running-postern.ts'

const LAUNCHER = join(import.meta.dirname, '..', '..', 'bin', 'postern.cjs')

interface Dev { readonly origin: string; readonly apiKey: string; readonly upstream: string; readonly child: ChildProcess }

let folder = ''
let dev: Dev

async function startDev(...args: string[]): Promise<Dev> {
  const child = spawn(process.execPath, [LAUNCHER, 'dev', '--port', '0', '--json', ...args], { env: { PATH: process.env['PATH'], HOME: folder, POSTERN_STATE_DIR: folder }, stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  const ended = once(child, 'close').then(() => Promise.reject(new Error('postern dev ended')))
  ended.catch(() => undefined)
  while (!text.includes('"origin"')) text += String((await Promise.race([once(child.stdout, 'data'), ended]))[0])
  return { ...JSON.parse(text.split('\n').find((line) => line.startsWith('{')) ?? ''), child }
}

async function stopDev({ child }: Dev): Promise<number | null> {
  child.kill('SIGINT')
  const [code] = await once(child, 'close')
  return code
}

const state = (): Readonly<Record<string, string>> => ({ POSTERN_STATE_DIR: folder })
const token = async (...args: string[]): Promise<string> => (await runPostern(['token', ...args], state())).stdout.trim()
const bearer = (value: string): Record<string, string> => ({ authorization: `Bearer ${value}` })
const ask = (headers: Record<string, string> = {}): Promise<Response> => fetch(`${dev.origin}/hello`, { headers })

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-dev-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('before the first dev run', () => {
  it('there is no token', async () => {
    const { code, stdout, stderr } = await runPostern(['token', 'alice'], state())
    expect(code).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toContain('no dev instance was started')
  })
})

describe('postern dev', () => {
  beforeAll(async () => {
    dev = await startDev()
  })
  afterAll(async () => {
    expect(await stopDev(dev)).toBe(0)
  })

  it('refuses without a credential and says why', async () => {
    const answer = await ask()
    expect(answer.status).toBe(401)
    expect(await answer.json()).toMatchObject({ code: 'credential_missing' })
  })

  it('lets the API key of this run in', async () => {
    const answer = await ask({ 'x-api-key': dev.apiKey })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({ headers: { 'x-user-id': 'dev-service' } })
  })

  it('lets a minted token in, and the API learns the verified subject and not the token', async () => {
    const { headers } = await (await ask(bearer(await token('alice')))).json()
    expect(headers['x-user-id']).toBe('alice')
    expect(headers).not.toHaveProperty('authorization')
  })

  it('removes a forged identity header', async () => {
    const { headers } = await (await ask({ ...bearer(await token('alice')), 'x-user-id': 'admin' })).json()
    expect(headers['x-user-id']).toBe('alice')
  })

  it.each<[string, string[], string]>([
    ['expired', ['--exp=-1m'], 'jwt_expired'],
    ['for somebody else', ['--claim', 'aud=another-api'], 'jwt_audience_mismatch'],
    ['for another API', ['--aud', 'another-api'], 'jwt_audience_mismatch'],
    ['of another issuer', ['--claim', 'iss=https://elsewhere.example'], 'jwt_issuer_mismatch'],
  ])('answers a token that is %s with the reason and a hint', async (_title, args, reason) => {
    const answer = await ask(bearer(await token('alice', ...args)))
    expect(answer.status).toBe(401)
    expect(await answer.json()).toMatchObject({ reason, hint: expect.any(String) })
  })

  it('shows 429 with Retry-After after 20 requests of one user', async () => {
    const headers = bearer(await token('bob'))
    const statuses = []
    for (let n = 0; n < 20; n += 1) statuses.push((await ask(headers)).status)
    const refused = await ask(headers)
    expect(statuses.every((status) => status === 200)).toBe(true)
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  it('explains a request with the config that runs, since there is no other', async () => {
    const { code, stderr } = await runPostern(['explain', 'GET', '/orders', '--token', await token('dora')], state())
    expect(code).toBe(0)
    expect(stderr).toMatch(/this is the dev instance on http/)
    expect(stderr).toContain(`allowed; would be sent to ${dev.upstream}/orders`)
    expect((await runPostern(['explain', 'GET', '/orders'], state())).code).toBe(1)
  })

  it('a second one that finds the port taken says who has it, and changes nothing for the first', async () => {
    const { code, stderr } = await runPostern(['dev', '--port', new URL(dev.origin).port], state())
    expect(code).toBe(1)
    expect(stderr).toMatch(/in use by the dev instance that runs already \(pid \d+\)/)
    expect((await ask(bearer(await token('erin')))).status).toBe(200)
    expect((await runPostern(['explain', 'GET', '/', '--key', dev.apiKey], state())).code).toBe(0)
  })

  it('leaves what it knows readable by this user alone', () => {
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const { mode } = statSync(join(folder, name))
      expect(mode & 0o077, name).toBe(0)
    }
  })

  it('listens on loopback alone', () => {
    expect(new URL(dev.origin).hostname).toBe('127.0.0.1')
    expect(new URL(dev.upstream).hostname).toBe('127.0.0.1')
  })
})

describe('postern dev', () => {
  it('guards the API that --upstream names, and leaves nothing running or lying about', async () => {
    const own = createServer((request, response) => response.end(`own:${String(request.headers['x-user-id'])}`))
    await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve))
    const address = own.address()
    dev = await startDev('--upstream', `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`)
    expect(await (await ask(bearer(await token('carol')))).text()).toBe('own:carol')
    expect(await stopDev(dev)).toBe(0)
    own.close()
    expect(readdirSync(folder)).toEqual(['dev.json'])
  })

  it('says that the upstream is not there yet, shows a line for each request, and never a credential', async () => {
    const child = spawn(process.execPath, [LAUNCHER, 'dev', '--port', '0', '--upstream', 'http://127.0.0.1:1'], { env: { PATH: process.env['PATH'], HOME: folder, POSTERN_STATE_DIR: folder }, stdio: ['ignore', 'ignore', 'pipe'] })
    let text = ''
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await expect.poll(() => text, { timeout: 15_000 }).toContain('Ctrl-C')
    expect(text).toContain('! upstream   http://127.0.0.1:1 refuses connections (ECONNREFUSED); requests get 502 until it runs')
    const origin = /postern +(http:\S+)/.exec(text)?.[1] ?? ''
    const key = /X-API-Key: (dev_[\w-]+)/.exec(text)?.[1] ?? ''
    expect(text).toContain(`curl -i ${origin}/\n`)
    const greeted = text.length
    await fetch(`${origin}/a?token=secret-in-query`)
    await fetch(`${origin}/b`, { headers: { 'x-api-key': key } })
    const lines = (): string => text.slice(greeted)
    await expect.poll(lines).toMatch(/\d\d:\d\d:\d\d 401 GET \/a credential_missing\n\d\d:\d\d:\d\d 502 GET \/b dev-service upstream_unreachable\n/)
    expect(lines()).not.toMatch(/secret-in-query/)
    expect(lines()).not.toContain(key)
    child.kill('SIGINT')
    await once(child, 'close')
  })

  it.each<[string, Record<string, string>]>([['NODE_ENV=production', { NODE_ENV: 'production' }], ['KUBERNETES_SERVICE_HOST', { KUBERNETES_SERVICE_HOST: '10.0.0.1' }]])('refuses to run with %s', async (sign, env) => {
    const { code, stderr } = await runPostern(['dev', '--port', '0'], { ...state(), ...env })
    expect(code).toBe(1)
    expect(stderr).toContain(sign)
  })

  it('names the port that is taken and the option that helps', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const address = taken.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const { code, stderr } = await runPostern(['dev', '--port', String(port)], state())
    taken.close()
    expect(code).toBe(1)
    expect(stderr).toContain(`port ${port} is in use`)
    expect(stderr).toContain('--port')
  })
})
