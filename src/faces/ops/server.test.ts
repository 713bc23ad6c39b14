import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createMetrics, type Metrics } from '../../observe/metrics.ts'
import { createOpsFace, type OpsFace } from './server.ts'
import type { OpsStatus } from './status.ts'

const FINE: OpsStatus = { started: true, draining: false, checks: [{ name: 'config', ok: true, critical: false }] }

let face: OpsFace | undefined
let metrics: Metrics | undefined

async function start(status: OpsStatus = FINE): Promise<string> {
  metrics = createMetrics({ version: '0', revision: 'test' })
  face = createOpsFace({ address: { host: '127.0.0.1', port: 0 }, status: () => status, metrics })
  await face.listen()
  return face.origin() ?? ''
}

/** Sends bytes as they are and gives the whole answer. */
const raw = (origin: string, bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => (text += String(chunk)))
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
    socket.end(bytes)
  })

afterEach(async () => {
  await face?.close()
  metrics?.close()
})

describe('the ops face', () => {
  it.each<[string, OpsStatus, string, number]>([
    ['lives while it starts', { ...FINE, started: false }, '/livez', 200],
    ['lives while it drains', { ...FINE, draining: true }, '/livez', 200],
    ['is not started while it starts', { ...FINE, started: false }, '/startupz', 503],
    ['stays started while it drains', { ...FINE, draining: true }, '/startupz', 200],
    ['is not ready while it starts', { ...FINE, started: false }, '/readyz', 503],
    ['is ready once started', FINE, '/readyz', 200],
    ['is not ready while it drains', { ...FINE, draining: true }, '/readyz', 503],
    ['is ready though a provider is degraded: every other instance would be too', { ...FINE, checks: [{ name: 'provider_idp', ok: false, critical: false, detail: 'no keys' }] }, '/readyz', 200],
    ['is not ready when a critical check fails', { ...FINE, checks: [{ name: 'upstream', ok: false, critical: true, detail: 'ECONNREFUSED' }] }, '/readyz', 503],
    ['is started though a critical check fails, since the upstream starts later', { ...FINE, checks: [{ name: 'upstream', ok: false, critical: true }] }, '/startupz', 200],
  ])('%s', async (_title, status, path, expected) => {
    const answer = await fetch((await start(status)) + path)
    expect(answer.status).toBe(expected)
    if (expected === 200) expect(await answer.text()).toBe('ok')
  })

  it('names every check with ?verbose, and what degraded without making it unready', async () => {
    const checks = [{ name: 'config', ok: false, critical: false, detail: 'the last reload was rejected' }]
    const answer = await fetch(`${await start({ ...FINE, checks })}/readyz?verbose`)
    expect(answer.status).toBe(200)
    expect(await answer.text()).toBe('[+]started ok\n[+]shutdown ok\n[!]config degraded: the last reload was rejected\nreadyz check passed\n')
  })

  it('says which check failed even without ?verbose', async () => {
    const answer = await fetch(`${await start({ ...FINE, draining: true })}/readyz`)
    expect(await answer.text()).toContain('[-]shutdown failed')
  })

  it('answers HEAD without a body', async () => {
    const answer = await raw(await start(), 'HEAD /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\n$/)
  })

  it.each(['/', '//metrics', '/%6detrics', '/metrics/', '/x/../metrics', '/./livez', '/METRICS', '/readyz;x', 'http://ops/metrics'])('finds nothing at %s', async (path) => {
    const answer = await raw(await start(), `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1.1 404 /)
  })

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('takes no %s', async (method) => {
    const answer = await fetch(`${await start()}/readyz`, { method })
    expect(answer.status).toBe(405)
    expect(answer.headers.get('allow')).toBe('GET, HEAD')
  })

  it('speaks OpenMetrics to a scraper that prefers it, and classic text to everyone else, any number of times', async () => {
    const origin = await start()
    const scrape = async (accept: string): Promise<string> => {
      const answer = await fetch(`${origin}/metrics`, { headers: { accept } })
      return `${answer.headers.get('content-type')}\n${await answer.text()}`
    }
    const open = await scrape('application/openmetrics-text;version=1.0.0,text/plain;q=0.5')
    expect(open).toMatch(/^application\/openmetrics-text; version=1\.0\.0/)
    expect(open).toContain('# TYPE postern_faults counter')
    expect(open.endsWith('# EOF\n')).toBe(true)
    const classic = await scrape('text/plain')
    expect(classic).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(classic).toContain('# TYPE postern_faults_total counter')
    expect(classic).not.toContain('# EOF')
  })

  it('leaves the global Request and Response as they are', async () => {
    const before = [globalThis.Request, globalThis.Response]
    await start()
    expect([globalThis.Request, globalThis.Response]).toEqual(before)
  })
})
