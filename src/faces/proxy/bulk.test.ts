import { expect, it } from 'vitest'
import { passedOn } from './bulk.ts'

const PIECE = 64 * 1_024

it('keeps the buffers of a long stream from piling up', async () => {
  let most = 0
  const before = process.memoryUsage().arrayBuffers
  for (let piece = 0; piece < 4_096; piece += 1) {
    passedOn(Buffer.allocUnsafeSlow(PIECE).length)
    most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    if (piece % 16 === 0) await new Promise(setImmediate)
  }
  expect(most).toBeLessThan(24 * 1_024 * 1_024)
})
