import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runPostern, type CommandResult } from '../support/running-postern.ts'

const KEY = 'good-key-123'

const CONFIG = `
version: 1
listen: 127.0.0.1:0
upstream: http://127.0.0.1:3000
client_ip: {trusted_proxies: [10.0.0.0/8]}
auth:
  - api_keys: {header: X-Api-Key, keys: [{id: k1, value: ${KEY}, subject: svc}]}
denied_networks: [192.0.2.0/24]
rate_limit: [{name: all, key: principal, limit: 2/hour}]
`

let folder = ''
let file = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-commands-'))
  file = join(folder, 'postern.yaml')
  writeFileSync(file, CONFIG)
})
afterAll(() => rmSync(folder, { recursive: true }))

const explain = (...args: string[]): Promise<CommandResult> => runPostern(['explain', '-c', file, ...args])

describe('exit codes', () => {
  it.each<[string, string[], number]>([
    ['an unknown command', ['frobnicate'], 2],
    ['an inherited name', ['constructor'], 2],
    ['an unknown option', ['check', '--nope'], 2],
    ['an option without its value', ['check', '--config'], 2],
    ['too few arguments', ['explain', 'GET'], 2],
    ['too many arguments', ['version', 'x'], 2],
    ['something that is not a path', ['explain', '-c', 'FILE', 'GET', 'orders'], 2],
    ['something that is not an address', ['explain', '-c', 'FILE', 'GET', '/', '--ip', 'localhost'], 2],
    ['a file that is not there', ['check', '-c', '/nowhere/postern.yaml'], 78],
    ['a good config', ['check', '-c', 'FILE'], 0],
    ['help', ['--help'], 0],
    ['help of a command', ['explain', '--help'], 0],
  ])('%s: %j ends with %i', async (_title, args, code) => {
    expect((await runPostern(args.map((arg) => (arg === 'FILE' ? file : arg)))).code).toBe(code)
  })
})

describe('usage mistakes', () => {
  it.each<[string[], string]>([
    [['dev', '--nope'], 'postern dev --help'],
    [['explain', 'GET'], 'postern explain --help'],
    [['frobnicate'], 'postern --help'],
    [['dev', 'http://localhost:3000'], 'npm start -- --upstream http://localhost:3000'],
  ])('%j is answered with %s', async (args, words) => {
    expect((await runPostern(args)).stderr).toContain(words)
  })
})

describe('postern explain', () => {
  it('ends with where the request would go, or with what the proxy is told where another one forwards', async () => {
    const own = join(folder, 'forward.yaml')
    writeFileSync(own, CONFIG.replace('upstream: http://127.0.0.1:3000', 'mode: forward_auth'))
    expect((await explain('GET', '/orders?secret=1', '--key', KEY)).stderr).toMatch(/allowed; would be sent to http:\/\/127\.0\.0\.1:3000\/orders\n$/)
    expect((await runPostern(['explain', '-c', own, 'GET', '/orders', '--key', KEY])).stderr).toMatch(/allowed; the proxy is told X-User-Id: svc\n$/)
  })

  it('shows every stage of an allowed request, and what the upstream learns', async () => {
    const { code, stderr, stdout } = await explain('GET', '/orders', '--key', KEY)
    expect(code).toBe(0)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/route +✓/)
    expect(stderr).toMatch(/network +✓ allowed/)
    expect(stderr).toMatch(/credential +✓ svc/)
    expect(stderr).toMatch(/all +✓ 1 of 2 left/)
    expect(stderr).toContain('X-User-Id: svc')
  })

  it('counts nothing, however often it is asked', async () => {
    for (let n = 0; n < 3; n += 1) expect((await explain('GET', '/orders', '--key', KEY)).code).toBe(0)
  })

  it.each<[string, string[], Record<string, unknown>]>([
    ['no credential', [], { code: 'credential_missing', status: 401, stage: 'authenticate' }],
    ['a wrong key', ['--key', 'wrong-key-456'], { code: 'credential_rejected', reason: 'key_unknown', status: 401 }],
    ['a denied network', ['--key', KEY, '--ip', '192.0.2.7'], { code: 'network_denied', status: 403, stage: 'check_network' }],
    ['a client behind a trusted proxy', ['--key', KEY, '--ip', '10.0.0.1', '-H', 'X-Forwarded-For: 192.0.2.7'], { code: 'network_denied' }],
    ['an aliased credential header', ['-H', `X_Api_Key: ${KEY}`], { code: 'request_ambiguous', status: 400, stage: 'describe' }],
  ])('of %s ends with 1 and says why', async (_title, args, expected) => {
    const { code, stdout } = await explain('GET', '/orders', '--json', ...args)
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ outcome: 'deny', ...expected })
  })

  it('reads a secret from stdin, and never shows one', async () => {
    const wrong = 'wrong-key-456'
    const { stdout, stderr } = await runPostern(['explain', '-c', file, 'GET', '/', '--key', '-', '--json', '--cookie', 'session=hidden-cookie'], {}, `${wrong}\n`)
    expect(JSON.parse(stdout)).toMatchObject({ reason: 'key_unknown' })
    expect(stdout + stderr).not.toContain(wrong)
    expect(stdout + stderr).not.toContain('hidden-cookie')
  })

  it('shows the control characters of a path instead of obeying them', async () => {
    const { stderr } = await explain('GET', '/\u001b[31m')
    expect(stderr).not.toContain('\u001b')
  })
})

describe('postern check', () => {
  it('finds every mistake at once, those of compiling included, and starts nothing', async () => {
    const bad = join(folder, 'bad.yaml')
    writeFileSync(bad, 'version: 1\nupstream: http://127.0.0.1:1\nauth: [{api_keys: {keys: []}}]\nroutes:\n  - {name: a, match: {path: /x}}\n  - {name: b, match: {path: /x}}\n')
    const { code, stderr, stdout } = await runPostern(['check', '-c', bad, '--json'])
    expect(code, stderr).toBe(78)
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, errors: [{ file: bad }] })
  })

  it('says as data what is fine', async () => {
    const { stdout } = await runPostern(['check', '-c', file, '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, file })
  })
})

describe('postern version and schema', () => {
  it('say what runs, as JSON', async () => {
    expect(JSON.parse((await runPostern(['version', '--json'])).stdout)).toMatchObject({ version: expect.stringMatching(/^\d+\.\d+\.\d+/), node: process.versions.node })
    expect(JSON.parse((await runPostern(['schema'])).stdout)).toHaveProperty('properties.upstream')
  })
})
