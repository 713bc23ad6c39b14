import { describe, expect, it } from 'vitest'
import { SILENT } from '../model/event.ts'
import { createVerdictCache, type Verdict } from './verdict-cache.ts'

const good: Verdict = { kind: 'known', claims: { sub: 'user-1' } }
const bad: Verdict = { kind: 'rejected', reason: 'token_inactive' }
const down: Verdict = { kind: 'unavailable', dependency: 'idp', cause: 'refused' }

function counted({ ttlMs = 30_000, negativeTtlMs = 5_000, maxEntries = 10, staleIfErrorMs = 0 } = {}) {
  const cache = createVerdictCache({ name: 'introspection', ttlMs, negativeTtlMs, maxEntries, staleIfErrorMs, observer: SILENT })
  let asked = 0
  const ask = (verdict: Verdict, credential = 'token') => (now: number) => cache.verdictOf({ value: credential }, now, async () => {
    asked += 1
    return verdict
  })
  return { cache, ask, asked: () => asked }
}

describe('the verdict cache', () => {
  it.each([
    ['a good answer for its time to live', good, 29_999, 1],
    ['a good answer no longer than that', good, 30_000, 2],
    ['a refusal for five seconds', bad, 4_999, 1],
    ['a refusal no longer than that', bad, 5_000, 2],
    ['never that somebody could not be asked', down, 0, 2],
    ['a good answer never past its expiry', { ...good, expiresAt: 10_000 }, 10_000, 2],
  ] as const)('keeps %s', async (_title, verdict, later, expected) => {
    const { ask, asked } = counted()
    await ask(verdict)(0)
    expect(await ask(verdict)(later)).toEqual(verdict)
    expect(asked()).toBe(expected)
  })

  it('serves an old answer while nobody can be asked only when told to, and never past its expiry', async () => {
    const lasting = { ...good, expiresAt: 100_000 } as const
    for (const [staleIfErrorMs, later, expected] of [[0, 40_000, down], [60_000, 40_000, lasting], [60_000, 90_000, down], [600_000, 100_000, down]] as const) {
      const { ask } = counted({ staleIfErrorMs })
      await ask(lasting)(0)
      expect(await ask(down)(later)).toEqual(expected)
    }
  })

  it('keeps nothing when its time to live is 0', async () => {
    const { ask, asked, cache } = counted({ ttlMs: 0 })
    await ask(good)(0)
    await ask(good)(0)
    expect([asked(), cache.size()]).toEqual([2, 0])
  })

  it('keeps a refusal at most five seconds, whatever is configured', async () => {
    const { ask, asked } = counted({ negativeTtlMs: 60_000 })
    await ask(bad)(0)
    await ask(bad)(5_000)
    expect(asked()).toBe(2)
  })

  it('asks once for those who come at the same time, and separately for different credentials', async () => {
    const { ask, asked } = counted()
    await Promise.all([ask(good)(0), ask(good)(0), ask(bad, 'other')(0)])
    expect(asked()).toBe(2)
  })

  it('is bounded', async () => {
    const { ask, cache } = counted({ maxEntries: 2 })
    for (const token of ['a', 'b', 'c']) await ask(good, token)(0)
    expect(cache.size()).toBe(2)
  })
})
