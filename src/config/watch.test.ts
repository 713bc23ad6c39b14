import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { watchConfig, type ConfigWatch } from './watch.ts'

let directory = ''
let open: ConfigWatch | undefined

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'postern-watch-'))
})
afterEach(() => {
  open?.close()
  open = undefined
  rmSync(directory, { recursive: true })
})

/** A volume as kubelet writes it: files are links into `..data`, which is a link that is swapped whole. */
function project(volume: string, version: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(volume, version), { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(volume, version, name), text)
  symlinkSync(version, join(volume, '..data_tmp'))
  renameSync(join(volume, '..data_tmp'), join(volume, '..data'))
  for (const name of Object.keys(files)) {
    try {
      symlinkSync(join('..data', name), join(volume, name))
    } catch {
      // The link is there since the first version.
    }
  }
}

/** Starts a watch that polls so rarely that only events can wake it, and gives the next change. */
function watched(files: () => readonly string[]): { next: () => Promise<void>; count: () => number } {
  let count = 0
  let told: (() => void) | undefined
  open = watchConfig({
    files,
    debounceMs: 5,
    pollMs: 3_600_000,
    onChange: () => {
      count += 1
      told?.()
    },
  })
  return {
    count: () => count,
    next: () =>
      new Promise((resolve) => {
        told = resolve
      }),
  }
}

describe('watchConfig', () => {
  it('sees a file written in place', async () => {
    const file = join(directory, 'postern.yaml')
    writeFileSync(file, 'a')
    const { next } = watched(() => [file])
    const change = next()
    writeFileSync(file, 'b')
    await change
  })

  it('sees it also in a directory that is never quiet, as where a log is written beside it', async () => {
    const file = join(directory, 'postern.yaml')
    writeFileSync(file, 'a')
    let seen = false
    open = watchConfig({ files: () => [file], debounceMs: 100, pollMs: 3_600_000, onChange: () => void (seen = true) })
    const noise = setInterval(() => writeFileSync(join(directory, 'audit.log'), String(performance.now())), 5)
    try {
      writeFileSync(file, 'b')
      await expect.poll(() => seen, { timeout: 2_000 }).toBe(true)
    } finally {
      clearInterval(noise)
    }
  })

  it('sees a file replaced by rename, twice', async () => {
    const file = join(directory, 'postern.yaml')
    writeFileSync(file, 'a')
    const { next, count } = watched(() => [file])
    for (const text of ['b', 'c']) {
      const change = next()
      writeFileSync(`${file}.new`, text)
      renameSync(`${file}.new`, file)
      await change
    }
    expect(count()).toBe(2)
  })

  it('sees the link swap of a Kubernetes volume, again and again', async () => {
    project(directory, '..v1', { 'postern.yaml': 'a', secret: 's1' })
    const { next, count } = watched(() => [join(directory, 'postern.yaml'), join(directory, 'secret')])
    for (const version of [2, 3, 4]) {
      const change = next()
      project(directory, `..v${version}`, { 'postern.yaml': 'a', secret: `s${version}` })
      await change
    }
    expect(count()).toBe(3)
  })

  it('takes several events and files for one change', async () => {
    project(directory, '..v1', { 'postern.yaml': 'a', secret: 's1' })
    const { next, count } = watched(() => [join(directory, 'postern.yaml'), join(directory, 'secret')])
    const change = next()
    project(directory, '..v2', { 'postern.yaml': 'b', secret: 's2' })
    await change
    expect(open?.look()).toBe(false)
    expect(count()).toBe(1)
  })

  it('does not call a touch, or a swap to the same content, a change', () => {
    project(directory, '..v1', { 'postern.yaml': 'a' })
    const { count } = watched(() => [join(directory, 'postern.yaml')])
    utimesSync(join(directory, 'postern.yaml'), 1, 1)
    project(directory, '..v2', { 'postern.yaml': 'a' })
    expect(open?.look()).toBe(false)
    expect(count()).toBe(0)
  })

  it('notices that a file went away and that it came back', () => {
    const file = join(directory, 'postern.yaml')
    writeFileSync(file, 'a')
    watched(() => [file])
    rmSync(file)
    expect(open?.look()).toBe(true)
    expect(open?.look()).toBe(false)
    writeFileSync(file, 'a')
    expect(open?.look()).toBe(true)
  })

  it('follows the files that the new config names', async () => {
    mkdirSync(join(directory, 'other'))
    const first = join(directory, 'postern.yaml')
    const second = join(directory, 'other', 'secret')
    writeFileSync(first, 'a')
    writeFileSync(second, 's1')
    let files = [first]
    const { next, count } = watched(() => files)
    files = [first, second]
    writeFileSync(first, 'b')
    open?.look()
    const seen = count()
    const change = next()
    writeFileSync(second, 's2')
    await change
    expect(count()).toBe(seen + 1)
  })

  it('is told by the poll where no event comes, also of a directory that appears later', async () => {
    const file = join(directory, 'later', 'postern.yaml')
    const change = new Promise<void>((resolve) => {
      open = watchConfig({ files: () => [file], debounceMs: 5, pollMs: 20, onChange: resolve })
    })
    mkdirSync(join(directory, 'later'))
    writeFileSync(file, 'a')
    await change
  })

  it('tells nobody after it was closed', () => {
    const file = join(directory, 'postern.yaml')
    writeFileSync(file, 'a')
    const { count } = watched(() => [file])
    writeFileSync(file, 'b')
    open?.close()
    expect(count()).toBe(0)
  })
})
