import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { hashSync } from 'bcryptjs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SILENT } from '../model/event.ts'
import type { AdministeredEvent } from '../model/event.ts'
import { compileManagedKeys, keyServicesOf, openKeyDesk } from './compile-managed-keys.ts'
import { managedKeySettings } from './managed-key-settings.ts'
import type { Mistake } from './mistake.ts'
import { createResources, type Resources } from './resources.ts'
import { configSchema } from './schema.ts'

const PEPPER = 'sixteen-characters'
const NOW = Date.UTC(2026, 0, 1)

let folder: string
let resources: Resources
let mistakes: Mistake[]
let acts: AdministeredEvent[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-managed-'))
  mistakes = []
  acts = []
  resources = createResources({ clock: () => NOW, observer: { ...SILENT, administered: (event) => acts.push(event) } })
})
afterEach(async () => {
  await resources.closeAll()
  rmSync(folder, { recursive: true })
})

const configOf = (more: Record<string, unknown> = {}) =>
  configSchema.parse({ version: 1, authenticators: { pat: { type: 'api_key', store: join(folder, 'keys.db'), pepper: PEPPER, ...more } } })
const compiled = (more?: Record<string, unknown>) => compileManagedKeys({ name: 'pat', config: configOf(more), resources, mistakes, warnings: [] })

describe('compiling managed keys', () => {
  it('finds a key that a command made in another process, and loses it when it is revoked', async () => {
    const keys = compiled()
    const settings = managedKeySettings('pat', configOf(), { mistakes, warnings: [] })
    const desk = openKeyDesk(settings!, { clock: () => NOW, onAct: () => undefined, busyTimeoutMs: 5_000 })
    const { key, record } = await desk.service.issue({ owner: 'u' }, 'cli:test')
    expect(keys?.lookup.find(key, NOW)).toMatchObject({ kind: 'active' })
    await desk.service.revoke(record.id, 'cli:test')
    expect(keys?.lookup.find(key, NOW + 999)).toMatchObject({ kind: 'revoked' })
    await desk.close()
  })

  it('keeps the open store across a reload, and opens it anew when a setting changed', () => {
    expect(compiled()).toBe(compiled())
    expect(compiled()).not.toBe(compiled({ pepper: `${PEPPER}-2`, previous_peppers: [PEPPER] }))
    expect(mistakes).toEqual([])
  })

  it('tells the audit log who did what to which key', async () => {
    const keys = compiled()
    const { record } = await keys!.service.issue({ owner: 'u' }, 'admin')
    expect(acts).toEqual([{ act: 'key_issued', actor: 'admin', at: NOW, target: record.id, details: { owner: 'u', authenticator: 'pat', new_key_id: undefined } }])
  })

  it('offers the very same stores to the admin face', async () => {
    const keys = compiled()
    const services = keyServicesOf(configOf(), resources)
    expect([...services.keys()]).toEqual(['pat'])
    expect(services.get('pat')).toBe(keys?.service)
  })

  it('imports before the first request is answered', async () => {
    const path = join(folder, 'api-keys.json')
    writeFileSync(path, JSON.stringify([{ keyHash: hashSync('f'.repeat(64), 4), userId: 'alice', createdAt: '2025-01-01T00:00:00Z' }, { key: 'plain-old-key', userId: 'bob' }]))
    const keys = compiled({ import: path })
    await nextTurn()
    expect(await keys?.lookup.find('plain-old-key', NOW)).toMatchObject({ kind: 'active', record: { owner: 'bob' } })
    expect(await keys?.lookup.find('f'.repeat(64), NOW)).toMatchObject({ kind: 'active', record: { owner: 'alice', alg: 'hmac-sha256' } })
    expect(await keys?.lookup.find('0'.repeat(64), NOW)).toEqual({ kind: 'unknown' })
  })

  it('takes a file to import that does not exist yet', () => {
    expect(compiled({ import: join(folder, 'later.json') })).toBeDefined()
    expect(mistakes).toEqual([])
  })

  it.each([['', 'this file is not JSON'], ['{}', 'this file is not an array of keys']])('refuses to start with a file to import that holds %j', (text, message) => {
    const path = join(folder, 'api-keys.json')
    writeFileSync(path, text)
    compiled({ import: path })
    expect(mistakes).toEqual([{ path: ['authenticators', 'pat', 'import'], message }])
  })

  it('refuses to start when the store cannot be opened', () => {
    expect(compiled({ store: join(folder, 'absent', 'keys.db') })).toBeUndefined()
    expect(mistakes).toEqual([{ path: ['authenticators', 'pat', 'store'], message: expect.stringContaining('cannot be opened') }])
  })
})
