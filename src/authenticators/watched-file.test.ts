import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createManualTime } from '../../test/support/manual-time.ts'
import { createWatchedFile } from './watched-file.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'postern-'))
  path = join(directory, 'file.json')
})
afterEach(() => rmSync(directory, { recursive: true }))

function watched() {
  const time = createManualTime()
  const errors: string[] = []
  const file = createWatchedFile<unknown>({ path, read: (text) => JSON.parse(text) as unknown, onError: (message) => errors.push(message), schedule: time.schedule })
  return { file, time, errors }
}

describe('a watched file', () => {
  it('is read at once, and again when it was written, renamed or its link switched', async () => {
    writeFileSync(path, '1')
    const { file } = watched()
    expect(file.value()).toBe(1)
    writeFileSync(path, '22')
    await file.check()
    expect(file.value()).toBe(22)
    writeFileSync(join(directory, 'next'), '33')
    renameSync(join(directory, 'next'), path)
    await file.check()
    expect(file.value()).toBe(33)
    writeFileSync(join(directory, 'other'), '44')
    symlinkSync('other', join(directory, 'link'))
    renameSync(join(directory, 'link'), path)
    await file.check()
    expect(file.value()).toBe(44)
    file.close()
  })

  it.each([
    ['emptied', () => writeFileSync(path, '')],
    ['broken', () => writeFileSync(path, '{"a":')],
    ['deleted', () => rmSync(path)],
    ['huge', () => writeFileSync(path, ' '.repeat(4_194_305))],
  ])('keeps its last good version when it is %s, says so once, and recovers', async (_title, spoil) => {
    writeFileSync(path, '1')
    const { file, errors } = watched()
    spoil()
    await file.check()
    await file.check()
    expect([file.value(), errors.length, file.error()]).toEqual([1, 1, errors[0]])
    writeFileSync(path, '2')
    await file.check()
    expect([file.value(), file.error()]).toEqual([2, undefined])
    file.close()
  })

  it('is looked at once a second until it is closed', async () => {
    writeFileSync(path, '1')
    const { file, time } = watched()
    expect(time.waiting()).toEqual([1_000])
    writeFileSync(path, '2')
    time.advance(1_000)
    await expect.poll(() => file.value()).toBe(2)
    file.close()
    expect(time.waiting()).toEqual([])
  })

  it('must be usable at the start', () => {
    expect(() => watched()).toThrow('ENOENT')
    writeFileSync(path, '{')
    expect(() => watched()).toThrow('JSON')
  })
})
