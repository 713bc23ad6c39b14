import { array, assert, oneof, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLineBuffer } from './line-buffer.ts'

describe('lines that wait', () => {
  it('come out as they went in, whatever they hold and however many they are', () => {
    assert(property(array(array(oneof(string({ unit: 'binary' }), string({ minLength: 20_000, maxLength: 40_000 })), { maxLength: 8 }), { maxLength: 8 }), (batches) => {
      const buffer = createLineBuffer()
      for (const lines of batches) {
        for (const line of lines) buffer.append(line)
        const expected = Buffer.from(lines.map((line) => `${line}\n`).join(''))
        expect(buffer.length()).toBe(expected.length)
        expect(buffer.take().equals(expected)).toBe(true)
        expect(buffer.length()).toBe(0)
      }
    }), { numRuns: 60 })
  })

  it('what was taken stays as it is while the next ones come', () => {
    const buffer = createLineBuffer()
    buffer.append('one')
    const taken = buffer.take()
    for (let n = 0; n < 10_000; n += 1) buffer.append(`line ${n}`)
    expect(taken.toString()).toBe('one\n')
  })

  it('are written into the same memory again, unless it had to grow far', () => {
    const buffer = createLineBuffer()
    const memories = new Set<ArrayBufferLike>()
    for (let n = 0; n < 10; n += 1) {
      buffer.append('a line')
      memories.add(buffer.take().buffer)
    }
    expect(memories.size).toBe(2)
    buffer.append('x'.repeat(1_000_000))
    buffer.take()
    buffer.take()
    buffer.append('a line')
    expect(buffer.take().buffer.byteLength).toBeLessThan(100_000)
  })
})
