import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SILENT, type AdministeredEvent } from '../model/event.ts'
import { compileDenyList, denyListLocation, denyServiceOf } from './compile-deny-list.ts'
import type { Mistake } from './mistake.ts'
import { createResources, type Resources } from './resources.ts'
import { configSchema } from './schema.ts'

const NOW = 1_800_000_000_000
const keys = (store: string) => ({ type: 'api_key', store, pepper: 'sixteen-characters' })

describe('the deny list of a config', () => {
  let folder: string
  let resources: Resources
  let mistakes: Mistake[]
  let acts: AdministeredEvent[]
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'postern-deny-'))
    mistakes = []
    acts = []
    resources = createResources({ clock: () => NOW, observer: { ...SILENT, administered: (event) => acts.push(event) } })
  })
  afterEach(async () => {
    await resources.closeAll()
    rmSync(folder, { recursive: true })
  })
  const configOf = (more: Record<string, unknown>) => configSchema.parse({ version: 1, ...more })

  it('is off unless it is written', () => {
    expect(compileDenyList(configOf({ authenticators: { pat: keys('/k.db') } }), resources, mistakes)).toBeUndefined()
    expect(mistakes).toEqual([])
  })

  it.each([
    ['in the store that it names', { deny_list: { store: '/d.db' }, authenticators: { pat: keys('/k.db') } }, '/d.db'],
    ['in the only store of keys', { deny_list: {}, authenticators: { pat: keys('/k.db') } }, '/k.db'],
    ['in the store that several authenticators share', { deny_list: {}, authenticators: { a: keys('/k.db'), b: keys('/k.db') } }, '/k.db'],
  ])('lives %s', (_where, config, location) => {
    expect(denyListLocation(configOf(config), mistakes)).toEqual({ kind: 'sqlite', path: location })
  })

  it.each([
    ['no store', { deny_list: {} }, /needs a store/],
    ['several stores', { deny_list: {}, authenticators: { a: keys('/a.db'), b: keys('/b.db') } }, /say which/],
    ['a store of another kind', { deny_list: { store: 'mysql://user:hunter2@host' } }, /expected the path/],
  ])('with %s is a mistake that shows no secret', (_what, config, message) => {
    expect(compileDenyList(configOf(config), resources, mistakes)).toBeUndefined()
    expect(mistakes[0]?.message).toMatch(message)
    expect(JSON.stringify(mistakes)).not.toContain('hunter2')
  })

  it('counts what an admin writes, tells the audit log, and outlives a reload', async () => {
    const config = configOf({ deny_list: { store: join(folder, 'd.db') }, authenticators: { web: { type: 'anonymous' } } })
    const list = compileDenyList(config, resources, mistakes)
    await denyServiceOf(config, resources)?.deny({ sub: 'alice', until: '1h', issuedBefore: 'now' }, 'admin')
    expect(await list?.check({ authenticator: 'web', jti: undefined, sub: ['alice'], sid: undefined, issuedAt: NOW - 1 }, NOW)).toEqual({ kind: 'denied', by: 'sub' })
    expect(acts).toMatchObject([{ act: 'proof_denied', actor: 'admin', target: 'sub:alice', details: { authenticator: '*' } }])
    expect(compileDenyList(config, resources, mistakes)).toBe(list)
  })

  it.each([
    ['nothing named', { until: '1h' }], ['two things named', { sub: 'a', jti: 'b', until: '1h' }], ['no end', { sub: 'a' }], ['an end that has passed', { sub: 'a', until: '2001-01-01' }],
    ['an authenticator that there is not', { sub: 'a', until: '1h', authenticator: 'other' }], ['an empty subject', { sub: '', until: '1h' }], ['a time that is none', { sub: 'a', until: '1h', issuedBefore: 'soon' }],
  ])('refuses an entry with %s', async (_what, request) => {
    const config = configOf({ deny_list: { store: join(folder, 'd.db') } })
    await expect(denyServiceOf(config, resources)?.deny(request, 'admin')).rejects.toMatchObject({ code: 'request_invalid' })
    expect(acts).toEqual([])
  })
})
