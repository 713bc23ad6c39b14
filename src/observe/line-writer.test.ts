import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLineWriter } from './line-writer.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-lines-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('a line writer', () => {
  it('has every line on disk at once until it is settled', () => {
    const file = join(folder, 'a.log')
    createLineWriter({ file }).write('one')
    expect(readFileSync(file, 'utf8')).toBe('one\n')
  })

  it('keeps the order of lines before and after it is settled, and of those that wait when it closes', async () => {
    const file = join(folder, 'a.log')
    const writer = createLineWriter({ file })
    writer.write('0')
    writer.settle()
    for (let n = 1; n < 5_000; n += 1) {
      writer.write(String(n))
      if (n === 2_500) await new Promise((resolve) => setTimeout(resolve, 15))
    }
    await writer.close()
    expect(readFileSync(file, 'utf8')).toBe(Array.from({ length: 5_000 }, (_, n) => `${n}\n`).join(''))
  })

  it('keeps the order where some lines are put together later, and puts each together once', async () => {
    const file = join(folder, 'a.log')
    const writer = createLineWriter({ file })
    let made = 0
    const expected = Array.from({ length: 5_000 }, (_, n) => `${n}\n`).join('')
    const later = (n: number) => (): string => `${(made += 1, n)}`
    for (let n = 0; n < 5_000; n += 1) {
      if (n === 10) writer.settle()
      if (n % 3 === 0) writer.write(String(n))
      else writer.writeLater(later(n))
      if (n === 2_500) await new Promise((resolve) => setTimeout(resolve, 50))
      if (n === 4_000) writer.flush()
    }
    expect(readFileSync(file, 'utf8').startsWith(expected.slice(0, expected.indexOf('\n4001\n')))).toBe(true)
    await writer.close()
    expect(readFileSync(file, 'utf8')).toBe(expected)
    expect(made).toBe(3_333)
  })

  it('appends to a file that exists and lets only its owner read it', () => {
    const file = join(folder, 'a.log')
    writeFileSync(file, 'old\n')
    chmodSync(file, 0o644)
    createLineWriter({ file }).write('new')
    expect(readFileSync(file, 'utf8')).toBe('old\nnew\n')
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('writes once in 20 ms however many lines come, and loses none', async () => {
    const file = join(folder, 'a.log')
    const writer = createLineWriter({ file })
    writer.settle()
    const sizes = new Set<number>()
    const begin = performance.now()
    let lines = 0
    while (performance.now() - begin < 300) {
      writer.write('x')
      lines += 1
      await new Promise((resolve) => setTimeout(resolve, 0))
      sizes.add(statSync(file).size)
    }
    // On a slow machine fewer, never more.
    expect(sizes.size).toBeLessThanOrEqual((performance.now() - begin) / 20 + 2)
    await writer.close()
    expect(readFileSync(file, 'utf8')).toBe('x\n'.repeat(lines))
  })

  it('says at once when the file cannot be written', () => {
    expect(() => createLineWriter({ file: join(folder, 'missing', 'a.log') })).toThrow(/ENOENT/)
  })
})
