// A gateway that is told to observe, as its operator sees it: in the answers, the log, the audit, the metrics, /readyz and `check`.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { everyAnswer, startChecking } from '../support/checking-postern.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { runPostern, type RunningPostern, startPostern } from '../support/running-postern.ts'

let issuer: Issuer
let folder: string
let file: string
let postern: RunningPostern

const write = (mode: string): void => {
  const routes = '  - { name: strict, match: { path: /strict/** }, auth: idp, mode: enforce }'
  writeFileSync(file, everyAnswer(issuer, routes).replace('listen: 127.0.0.1:0', `listen: \${LISTEN:-127.0.0.1:0}\n${mode}`).replace('ops: off', 'ops: "${OPS_LISTEN:-127.0.0.1:0}"\ndrain: { delay: 0 }'))
}

beforeAll(async () => {
  issuer = await startIssuer()
  folder = mkdtempSync(join(tmpdir(), 'postern-observe-'))
  file = join(folder, 'postern.yaml')
  write('observe: true')
  postern = await startPostern({ config: file })
})
afterAll(async () => {
  await postern?.stop()
  await issuer.close()
  rmSync(folder, { recursive: true })
})

const ask = (uri: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  fetch(`${postern.url}/_postern/forward`, { headers: { 'x-forwarded-for': '198.51.100.7', 'x-forwarded-host': 'api.example', 'x-forwarded-proto': 'https', 'x-forwarded-method': 'GET', 'x-forwarded-uri': uri, ...headers } })

const metric = async (line: RegExp): Promise<string | undefined> => line.exec(await fetch(`${postern.opsUrl}/metrics`).then((answer) => answer.text()))?.[1]

describe('observe: true', () => {
  it.each([
    ['/api/x', 'authenticate', 'credential_missing'],
    ['/inner/x', 'check_network', 'network_denied'],
    ['/nowhere', 'match_route', 'route_not_found'],
    ['/admin/x', 'authenticate', 'credential_missing'],
  ])('lets %s pass in forward-auth, as nobody, and writes down what it would have been', async (uri, stage, code) => {
    const before = postern.audit().length
    const answer = await ask(uri, { 'x-user-id': 'root' })
    expect([answer.status, answer.headers.get('x-user-id')]).toEqual([200, ''])
    await expect.poll(() => postern.audit()[before]).toMatchObject({ 'event.code': code, 'postern.stage': stage, 'postern.observed': true, 'postern.decision': 'allow', 'url.path': uri })
  })

  it('refuses who may not ask, what cannot be read in one way, and on a route that enforces', async () => {
    expect((await ask('/strict/x')).status).toBe(401)
    expect((await ask('/api/%2e%2e/x')).status).toBe(400)
    expect((await fetch(`${postern.url}/_postern/forward`, { headers: { 'x-forwarded-method': 'GET' } })).status).toBe(400)
  })

  it('counts what it would have refused by reason', async () => {
    expect(await metric(/^postern_decisions_total\{outcome="allow",method="none",reason="network_denied"\} (\d+)/m)).toBe('1')
  })

  it('warns in the log, in /readyz?verbose, in a gauge and in check, until it is taken away by a reload', async () => {
    expect(postern.output()).toMatch(/"config_warning"[^\n]*only 1 of the routes refuses anything/)
    expect(await fetch(`${postern.opsUrl}/readyz?verbose`).then((answer) => answer.text())).toContain('[!]enforcement degraded: only observed, not enforced: everything but strict\n')
    expect(await metric(/^postern_observe_mode (\d)/m)).toBe('1')
    const checked = await runPostern(['check', '--config', file])
    expect(checked.stderr).toMatch(/observe {5}ON: refusals are counted and logged, not enforced/)
    expect(checked.stderr).toContain('everything else is denied, were it enforced')
    write('')
    postern.child.kill('SIGHUP')
    await expect.poll(async () => (await ask('/api/x')).status).toBe(401)
    expect(await metric(/^postern_observe_mode (\d)/m)).toBe('0')
  })
})

describe('observe: true beside a proxy', () => {
  it('lets a request pass whose rule about a body forward-auth cannot judge, and says so', async () => {
    const text = everyAnswer(issuer, '  - { name: written, match: { path: /written/** }, auth: none, body: { require_equal: {} } }').replace('mode: forward_auth', 'upstream: http://127.0.0.1:1\nforward_auth: {}\nobserve: true')
    const checking = await startChecking(text)
    const headers = { 'x-forwarded-for': '198.51.100.7', 'x-forwarded-host': 'api.example', 'x-forwarded-proto': 'https', 'x-forwarded-method': 'POST', 'x-forwarded-uri': '/written/x' }
    const { status } = await fetch(`http://127.0.0.1:${checking.port}/_postern/forward`, { headers })
    await checking.close()
    expect([status, checking.events.decided.at(-1)?.decision]).toMatchObject([200, { outcome: 'allow', observed: { stage: 'authorize', denial: { code: 'forbidden', rule: 'body' } } }])
  })
})

describe('mode: observe at the top', () => {
  it('is a mistake that names the right key', async () => {
    write('')
    writeFileSync(file, 'version: 1\nmode: observe\nupstream: http://127.0.0.1:1\nclient_ip: { direct: true }\n')
    const { code, stderr } = await runPostern(['check', '--config', file])
    expect([code, stderr]).toEqual([78, expect.stringContaining('postern.yaml:2:7  mode: "observe" – expected proxy or forward_auth; to observe on every route instead of enforcing, write "observe: true"')])
  })
})
