import { hashSync } from 'bcryptjs'
import { afterEach, describe, expect, it } from 'vitest'
import { BcryptBusy, bcryptCostOf, createBcryptVerifier } from './bcrypt-verifier.ts'
import type { BcryptLimits, BcryptVerifier } from './bcrypt-verifier.ts'

const open: BcryptVerifier[] = []
const verifier = (limits?: Partial<BcryptLimits>): BcryptVerifier => {
  const made = createBcryptVerifier({ maxWaiting: 16, comparisonsPerMinute: 10_000, ...limits })
  open.push(made)
  return made
}
afterEach(() => open.splice(0).forEach((each) => each.close()))

const [one, two] = ['key-one-of-two', 'key-two-of-two'].map((key) => hashSync(key, 4)) as [string, string]

describe('comparing with bcrypt rows', () => {
  it('tells which row fits', async () => {
    const { firstMatch } = verifier()
    expect(await firstMatch('key-two-of-two', [one, two], 0)).toBe(1)
    expect(await firstMatch('key-three', [one, two], 0)).toBe(-1)
  })

  it('does not hold up the event loop', async () => {
    const slow = hashSync('slow', 11)
    const { firstMatch } = verifier()
    await firstMatch('warm-up', [one], 0)
    let ticks = 0
    const timer = setInterval(() => { ticks += 1 }, 5)
    await firstMatch('wrong', [slow, slow, slow], 0)
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(5)
  })

  it('answers several guesses that wait', async () => {
    const { firstMatch } = verifier()
    expect(await Promise.all(['key-one-of-two', 'no', 'key-two-of-two'].map((key) => firstMatch(key, [one, two], 0)))).toEqual([0, -1, 1])
  })

  it('never matches a key longer than the 72 bytes that bcrypt reads', async () => {
    const hash = hashSync('x'.repeat(72), 4)
    const { firstMatch } = verifier()
    expect(await firstMatch('x'.repeat(72), [hash], 0)).toBe(0)
    expect(await firstMatch('x'.repeat(73), [hash], 0)).toBe(-1)
    expect(await firstMatch(`${'x'.repeat(71)}é`, [hash], 0)).toBe(-1)
  })

  it('refuses more guesses than may wait, as busy and not as wrong', async () => {
    const { firstMatch } = verifier({ maxWaiting: 1 })
    const first = firstMatch('no', [one], 0)
    await expect(firstMatch('no-2', [one], 0)).rejects.toThrow(BcryptBusy)
    expect(await first).toBe(-1)
  })

  it('stops at its budget and says when it goes on', async () => {
    const { firstMatch } = verifier({ comparisonsPerMinute: 2 ** -6 * 3 })
    await firstMatch('a', [one, two], 1_000)
    await expect(firstMatch('b', [one, two], 11_000)).rejects.toMatchObject({ retryAfterMs: 50_000 })
    expect(await firstMatch('b', [one, two], 61_000)).toBe(-1)
  })

  it('counts dearer rows as more work', async () => {
    const dear = `$2b$12$${'a'.repeat(53)}`
    const { firstMatch } = verifier({ comparisonsPerMinute: 4 })
    await firstMatch('a', [one], 0)
    await expect(firstMatch('a', [dear], 0)).rejects.toThrow(BcryptBusy)
  })

  it('recovers from a thread that was ended', async () => {
    const { firstMatch, close } = verifier()
    await firstMatch('no', [one], 0)
    const pending = firstMatch('no', Array.from({ length: 200 }, () => hashSync('x', 4)), 0)
    close()
    await expect(pending).rejects.toThrow(BcryptBusy)
    expect(await firstMatch('key-one-of-two', [one], 0)).toBe(0)
  })
})

describe('a bcrypt text', () => {
  it.each([[one, 4], [`$2a$10$${'.'.repeat(53)}`, 10], ['$2b$10$short', undefined], ['', undefined], [`$2x$10$${'.'.repeat(53)}`, undefined], ['plain', undefined]])('%s has cost %s', (text, cost) => {
    expect(bcryptCostOf(text)).toBe(cost)
  })
})
