import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { loadConfig } from '../config/load.ts'
import { createResources, type Resources } from '../config/resources.ts'
import { SILENT } from '../model/event.ts'
import type { Log } from '../observe/log.ts'
import { createMetrics } from '../observe/metrics.ts'
import { compileLoaded } from './load-config.ts'
import { createReloads } from './reloads.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-reloads-'))
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(folder, { recursive: true })
})

/** Resources whose life is counted. */
function counted(): { readonly resources: Resources; readonly open: Set<string> } {
  const open = new Set<string>()
  const inner = createResources({ clock: Date.now, observer: SILENT })
  const keep: Resources['keep'] = (kind, key, make) =>
    inner.keep(kind, key, () => {
      const value = make()
      const name = `${kind} ${key}`
      const { close } = value
      open.add(name)
      return Object.assign(value, { close: () => {
        open.delete(name)
        return close?.()
      } })
    })
  return { resources: { ...inner, keep }, open }
}

const SILENT_LOG = { write: () => undefined, setLevel: () => undefined } as unknown as Log

const textOf = (round: number): string => `version: 1
upstream: http://127.0.0.1:9
client_ip: { direct: true }
auth: [{ jwt: { issuer: "https://idp.invalid", jwks_url: "http://127.0.0.1:1/jwks", audience: api, jwks: { max_age: ${600 + round}s } } }]
`

function reloading() {
  const file = join(folder, 'postern.yaml')
  const write = (text: string): void => writeFileSync(file, text)
  write(textOf(0))
  const { resources, open } = counted()
  const metrics = createMetrics({ version: '0', revision: 'test' })
  resources.begin()
  const loaded = loadConfig({ file, env: {} })
  const reloads = createReloads({ file, env: {}, first: { loaded, compiled: compileLoaded(loaded, { resources }) }, building: { resources }, log: SILENT_LOG, metrics, onTaken: () => undefined })
  return { reloads, write, resources, metrics, sources: () => [...open].filter((name) => name.startsWith('key_source')).length }
}

describe('what a reload left behind', () => {
  it('goes a while later, also where reloads come faster than that', async () => {
    const { reloads, write, resources, metrics, sources } = reloading()
    for (let round = 1; round <= 30; round += 1) {
      write(textOf(round))
      reloads.reload('file')
      await vi.advanceTimersByTimeAsync(5_000)
    }
    expect(sources()).toBeLessThanOrEqual(4)
    await vi.advanceTimersByTimeAsync(15_000)
    expect(sources()).toBe(1)
    await resources.closeAll()
    metrics.close()
  })

  it('stays for those who may still use it, and what is in use stays for good, whatever was refused meanwhile', async () => {
    const { reloads, write, resources, metrics, sources } = reloading()
    write(textOf(1))
    reloads.reload('file')
    await vi.advanceTimersByTimeAsync(5_000)
    expect(sources()).toBe(2)
    write(`${textOf(2)}routes: [{ name: a, match: { path: /a }, auth: nobody-of-this-name }]\n`)
    reloads.reload('file')
    expect(reloads.rejection()).toContain('rejected')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(sources()).toBe(1)
    expect(reloads.current().compiled.providers[0]?.state()).toBeDefined()
    await resources.closeAll()
    metrics.close()
  })
})
