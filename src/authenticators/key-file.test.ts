import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createManualTime } from '../../test/support/manual-time.ts'
import { SILENT } from '../model/event.ts'
import { createKeyFile } from './key-file.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'postern-'))
  path = join(directory, 'jwks.json')
})
afterEach(() => rmSync(directory, { recursive: true }))

const write = (...kids: readonly string[]): void => {
  const keys = kids.map((kid) => ({ ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid }))
  writeFileSync(path, JSON.stringify({ keys: [...keys, { kty: 'oct', k: 'c2VjcmV0', kid: 'hs' }] }))
}

describe('keys in a file', () => {
  it('are read, refreshed for an unknown kid, and kept when the file breaks', async () => {
    write('one')
    const notices: string[] = []
    const time = createManualTime()
    const source = createKeyFile(path, { clock: time.clock, observer: { ...SILENT, noticed: (_level, code) => notices.push(code) }, schedule: time.schedule })
    expect(source.current(time.clock())?.thumbprints.has('one')).toBe(true)
    write('two', 'three')
    expect(await source.refetched(time.clock())).toMatchObject({ size: 2 })
    writeFileSync(path, '<html>')
    expect(await source.refetched(time.clock())).toMatchObject({ size: 2 })
    expect(notices).toEqual(['jwks_key_dropped', 'jwks_file_read', 'jwks_unavailable'])
    expect(source.state()).toMatchObject({ keys: 2, ageMs: 0, lastError: expect.stringContaining('JSON') })
    source.close()
  })

  it('must be a key set at the start', () => {
    writeFileSync(path, '{}')
    expect(() => createKeyFile(path, { clock: Date.now, observer: SILENT })).toThrow('not a JWK set')
  })
})
