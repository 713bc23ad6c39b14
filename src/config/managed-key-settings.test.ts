import { describe, expect, it } from 'vitest'
import { pathText } from './mistake.ts'
import { allManagedKeySettings, managedKeySettings } from './managed-key-settings.ts'
import { configSchema } from './schema.ts'

const PEPPER = 'sixteen-characters'

function settingsOf(authenticator: Record<string, unknown>, more: Record<string, unknown> = {}) {
  const complaints = { mistakes: [], warnings: [] }
  const config = configSchema.parse({ version: 1, authenticators: { pat: { type: 'api_key', ...authenticator } }, ...more })
  const settings = managedKeySettings('pat', config, complaints)
  const told = (list: readonly { path: readonly (string | number)[]; message: string }[]) => list.map(({ path, message }) => `${pathText(path)}: ${message}`)
  return { settings, mistakes: told(complaints.mistakes), warnings: told(complaints.warnings) }
}

describe('the settings of managed keys', () => {
  it('need a store and a pepper, and have a default for the rest', () => {
    expect(settingsOf({ store: '/data/keys.db', pepper: PEPPER })).toEqual({
      settings: { name: 'pat', location: { kind: 'sqlite', path: '/data/keys.db' }, pepper: PEPPER, previousPeppers: [], prefix: 'ak_live', environment: 'live', recognised: undefined, checksum: 'crc32', importPath: undefined, tiers: [] },
      mistakes: [], warnings: [],
    })
  })

  it.each([
    ['issue.prefix', { issue: { prefix: 'xen_pat' } }, 'xen_pat'],
    ['issue.prefix and environment', { issue: { prefix: 'acme', environment: 'test' } }, 'acme_test'],
    ['the first recognised prefix', { prefix: ['acme_live_', 'acme_test_'] }, 'acme_live'],
    ['the environment alone', { issue: { environment: 'test' } }, 'ak_test'],
  ])('take the label of new keys from %s', (_where, more, prefix) => {
    expect(settingsOf({ store: '/k', pepper: PEPPER, ...more }).settings?.prefix).toBe(prefix)
  })

  it('accept keys of any form when there is a file to import, unless told otherwise', () => {
    expect(settingsOf({ store: '/k', pepper: PEPPER, import: '/api-keys.json' }).settings?.checksum).toBe('none')
    expect(settingsOf({ store: '/k', pepper: PEPPER, import: '' }).settings).toMatchObject({ checksum: 'crc32', importPath: undefined })
    expect(settingsOf({ store: '/k', pepper: PEPPER, issue: { checksum: 'none' } }).settings?.checksum).toBe('none')
  })

  it('know the tiers of the config and drop empty previous peppers', () => {
    const { settings } = settingsOf({ store: '/k', pepper: PEPPER, previous_peppers: ['', `${PEPPER}, with a comma`] }, { tiers: { free: {}, pro: {} } })
    expect(settings).toMatchObject({ tiers: ['free', 'pro'], previousPeppers: [`${PEPPER}, with a comma`] })
  })

  it.each([
    ['not mentioned', {}, 0],
    ['both empty, as unset variables leave them', { store: '', pepper: '' }, 1],
  ])('are off, with a warning where they were meant, when %s', (_how, authenticator, warnings) => {
    const told = settingsOf(authenticator)
    expect(told).toMatchObject({ settings: undefined, mistakes: [] })
    expect(told.warnings).toHaveLength(warnings)
  })

  it.each([
    ['a store without a pepper', { store: '/k', pepper: '' }, /^authenticators\.pat\.pepper: a store without a pepper/],
    ['a pepper without a store', { pepper: PEPPER }, /^authenticators\.pat\.store: a pepper without a store/],
    ['a short pepper', { store: '/k', pepper: 'short-one' }, /^authenticators\.pat\.pepper: expected at least 16/],
    ['a short previous pepper', { store: '/k', pepper: PEPPER, previous_peppers: ['short-one'] }, /^authenticators\.pat\.previous_peppers\[0\]: expected at least 16/],
    ['keys to import and no store', { store: '', pepper: '', import: '/api-keys.json' }, /^authenticators\.pat\.import: keys to import, but no store/],
    ['a Redis store with a named database', { store: 'redis://user:hunter2@host/keys', pepper: PEPPER }, /is a number/],
    ['a store of another kind', { store: 'mysql://user:hunter2@host/db', pepper: PEPPER }, /redis:|postgres:/],
    ['another URL', { store: 'file:///k', pepper: PEPPER }, /path of a file/],
    ['a label that its own authenticator would not recognise', { store: '/k', pepper: PEPPER, prefix: ['acme_'], issue: { prefix: 'other' } }, /does not recognise/],
    ['a recognised prefix that is no label', { store: '/k', pepper: PEPPER, prefix: ['Acme-'] }, /cannot start with/],
  ])('are a mistake with %s, told without the secret', (_what, authenticator, expected) => {
    const { settings, mistakes } = settingsOf(authenticator)
    expect(settings).toBeUndefined()
    expect(mistakes).toEqual([expect.stringMatching(expected)])
    expect(mistakes.join()).not.toMatch(/hunter2|short-one|sixteen-characters/)
  })

  it('are found for every authenticator that has them', () => {
    const config = configSchema.parse({ version: 1, authenticators: { a: { type: 'api_key', store: '/a', pepper: PEPPER }, b: { type: 'anonymous' }, c: { type: 'api_key', store: '/c', pepper: PEPPER } } })
    expect(allManagedKeySettings(config, { mistakes: [], warnings: [] }).map(({ name }) => name)).toEqual(['a', 'c'])
  })
})
