import { describe, expect, it } from 'vitest'
import { loadConfig } from '../config/load.ts'
import { probeAnswer } from '../faces/ops/status.ts'
import { compileLoaded, passingResources } from './load-config.ts'
import { opsChecks } from './ops-status.ts'

const NOW = 1_000_000

/** What /readyz?verbose answers about an upstream that has failed so often in a row, six seconds ago. */
function answer(consecutiveFailures: number, more = '') {
  const text = `version: 1\nupstream: http://127.0.0.1:3000\nclient_ip: {direct: true}\nauth: [{api_keys: {keys: [{value: 0123456789abcdef}]}}]\n${more}`
  const loaded = loadConfig({ file: 'postern.yaml', env: {}, readFile: () => ({ text, worldReadable: false }) })
  const current = { loaded, compiled: compileLoaded(loaded, { resources: passingResources() }) }
  const reloads = { current: () => current, rejection: () => undefined, pending: () => [], reload: () => undefined }
  const upstreamState = () => ({ consecutiveFailures, lastError: { at: NOW - 6_000, cause: 'ECONNREFUSED' } })
  return probeAnswer('readyz', { started: true, draining: false, checks: opsChecks({ reloads, upstreamState, keyStores: () => [], clock: () => NOW }) }, true)
}

describe('/readyz on an upstream', () => {
  it('says from the first failed connection what it was and when, and stays ready', () => {
    expect(answer(1)).toMatchObject({ status: 200, body: expect.stringContaining('[!]upstream degraded: ECONNREFUSED 6 s ago\n') })
  })

  it('says ok again after an answer, whatever was before', () => {
    expect(answer(0).body).toContain('[+]upstream ok\n')
  })

  it('is not ready where the config needs the upstream, and only when connections fail again and again', () => {
    expect(answer(2, 'ready: {upstream: true}')).toMatchObject({ status: 200 })
    expect(answer(3, 'ready: {upstream: true}')).toMatchObject({ status: 503, body: expect.stringContaining('[-]upstream failed: ECONNREFUSED 6 s ago\n') })
  })
})
