import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { everyAnswer } from '../support/checking-postern.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { runPostern, type RunningPostern, startPostern } from '../support/running-postern.ts'

let issuer: Issuer
let folder: string
let postern: RunningPostern | undefined

beforeAll(async () => {
  issuer = await startIssuer()
  folder = mkdtempSync(join(tmpdir(), 'postern-forward-run-'))
})
afterEach(async () => {
  await postern?.stop()
  postern = undefined
})
afterAll(async () => {
  await issuer.close()
  rmSync(folder, { recursive: true })
})

const written = (change: (config: string) => string = (config) => config): string => {
  const file = join(folder, 'postern.yaml')
  writeFileSync(file, change(everyAnswer(issuer).replace('listen: 127.0.0.1:0', 'listen: ${LISTEN}').replace('ops: off', 'ops: ${OPS_LISTEN}\ndrain: { delay: 0 }')))
  return file
}

const CHECK = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-host': 'api.example', 'x-forwarded-proto': 'https', 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/maybe/x' }

function ask(target: { readonly port: number } | { readonly socketPath: string }, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ ...('port' in target ? { host: '127.0.0.1', ...target } : target), path: '/_postern/forward', headers: { ...CHECK, ...headers }, agent: false }, (answer) => resolve(answer.resume().statusCode ?? 0)).once('error', reject).end()
  })
}

describe('a running Postern that answers checks', () => {
  it('writes exactly one audit record for each, with the request that it was about', async () => {
    postern = await startPostern({ config: written() })
    const token = await issuer.mint()
    expect([await ask(postern), await ask(postern, { authorization: `Bearer ${token}` }), await ask(postern, { 'x-forwarded-uri': '/admin/x', authorization: `Bearer ${token}` }), await ask(postern, { 'x-forwarded-method': '' })]).toEqual([200, 200, 403, 400])
    await wait(150)
    const records = postern.audit()
    expect(records).toHaveLength(4)
    expect(JSON.stringify(records[1])).toContain('/maybe/x')
    expect(JSON.stringify(records)).not.toContain(token)
    const metrics = await fetch(`${postern.opsUrl}/metrics`).then((answer) => answer.text())
    expect(metrics).toMatch(/postern_http_requests_total\{face="forward_auth",method="GET",code="200"\} 2/)
  })

  it('takes a new secret without a restart, and says that a new listener needs one', async () => {
    const secret = (value: string, more = '') => written((config) => config.replace('client_ip: { trusted_proxies: [127.0.0.1] }', `forward_auth: { secret: ${value}${more} }`))
    postern = await startPostern({ config: secret('the-first-secret-of-it') })
    expect([await ask(postern), await ask(postern, { 'x-postern-secret': 'the-first-secret-of-it' })]).toEqual([403, 200])
    secret('the-second-secret-of-it', ', grpc: "127.0.0.1:1"')
    postern.child.kill('SIGHUP')
    for (let tries = 0; tries < 50 && (await ask(postern, { 'x-postern-secret': 'the-second-secret-of-it' })) !== 200; tries += 1) await wait(50)
    expect([await ask(postern, { 'x-postern-secret': 'the-first-secret-of-it' }), await ask(postern, { 'x-postern-secret': 'the-second-secret-of-it' })]).toEqual([403, 200])
    await expect.poll(() => postern?.output()).toMatch(/restart_required[^\n]*forward_auth/)
    for (const value of ['the-first-secret-of-it', 'the-second-secret-of-it']) expect(postern.output()).not.toContain(value)
  })

  it('tells doctor who asked and was not known', async () => {
    postern = await startPostern({ config: written((config) => config.replace('trusted_proxies: [127.0.0.1]', 'trusted_proxies: [192.0.2.1]')) })
    expect([await ask(postern), await ask(postern)]).toEqual([403, 403])
    const { peers } = (await (await fetch(`${postern.opsUrl}/peers`)).json()) as { peers: unknown }
    expect(peers).toEqual([{ peer: '127.0.0.1', believed: 0, ignored: 0, refused: 2 }])
  })

  it('is asked over a socket file, whose owner decides who may', async () => {
    const path = join(folder, 'checks.sock')
    const file = written((config) => config.replace('client_ip: { trusted_proxies: [127.0.0.1] }', 'client_ip: { trusted_proxies: [] }'))
    postern = await startPostern({ config: file, env: { LISTEN: `unix:${path}` } })
    expect([await ask({ socketPath: path }), await ask({ socketPath: path }, { 'x-forwarded-for': '' })]).toEqual([200, 400])
  })

  it('does not start when nobody is named who may ask', async () => {
    const file = written((config) => config.replace('trusted_proxies: [127.0.0.1]', 'direct: true'))
    const { code, stderr } = await runPostern(['run', '--config', file], { LISTEN: '127.0.0.1:0', OPS_LISTEN: '127.0.0.1:0' })
    expect([code, stderr]).toEqual([78, expect.stringContaining('forward-auth answers only proxies that are known')])
  })

  it('shows in check where it answers, and for whom', async () => {
    const { code, stderr } = await runPostern(['check', '--config', written()], { LISTEN: '127.0.0.1:8080', OPS_LISTEN: '127.0.0.1:9090' })
    expect([code, stderr]).toEqual([0, expect.stringMatching(/checks +\/_postern\/forward, \/_postern\/nginx, \/_postern\/envoy\/ on 127\.0\.0\.1:8080 +for 127\.0\.0\.1/)])
  })
})
