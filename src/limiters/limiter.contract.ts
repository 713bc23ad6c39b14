import { describe, expect, it } from 'vitest'
import { policy } from '../../test/support/described.ts'
import type { MaybePromise } from '../base/time.ts'
import type { Limiter } from '../model/ports.ts'
import type { Charge, QuotaPolicy, ServiceLimit } from '../model/quota.ts'

/** What every limiter must do. `now` is passed in, so nothing here sleeps. */
export function limiterContract(name: string, create: () => MaybePromise<Limiter>): void {
  const T0 = 1_700_000_000_000
  const minute = policy({ id: 'minute', quota: 3, windowMs: 60_000 })
  const hour = policy({ id: 'hour', name: 'hour', quota: 5, windowMs: 3_600_000 })
  const charge = (of: QuotaPolicy, partition = 'a', cost = 1): Charge => ({ policy: of, partition, cost })
  const allowed = (limits: readonly ServiceLimit[]): boolean => limits.every(({ exceeded }) => !exceeded)

  describe(name, () => {
    it('admits exactly the quota in a window and refuses the next', async () => {
      const limiter = await create()
      const answers = []
      for (let n = 0; n < 4; n += 1) answers.push(allowed(await limiter.consume([charge(minute)], T0 + n)))
      expect(answers).toEqual([true, true, true, false])
    })

    it('opens a fixed window with the first charge and a new one when it is over', async () => {
      const limiter = await create()
      await limiter.consume([charge(minute, 'a', 3)], T0 + 5_000)
      const [refused] = await limiter.consume([charge(minute)], T0 + 64_999)
      expect(refused).toMatchObject({ exceeded: true, remaining: 0, resetsAt: T0 + 65_000, retryAt: T0 + 65_000 })
      const [fresh] = await limiter.consume([charge(minute)], T0 + 65_000)
      expect(fresh).toMatchObject({ exceeded: false, remaining: 2, resetsAt: T0 + 125_000 })
    })

    it('spends nothing of any window when one refuses', async () => {
      const limiter = await create()
      await limiter.consume([charge(minute, 'a', 3), charge(hour, 'a', 3)], T0)
      const refused = await limiter.consume([charge(minute), charge(hour)], T0 + 1)
      expect(refused.map(({ exceeded, remaining }) => [exceeded, remaining])).toEqual([[true, 0], [false, 2]])
      const later = await limiter.consume([charge(minute, 'a', 2), charge(hour, 'a', 2)], T0 + 60_000)
      expect(later.map(({ exceeded, remaining }) => [exceeded, remaining])).toEqual([[false, 1], [false, 0]])
    })

    it('counts partitions and policies apart', async () => {
      const limiter = await create()
      await limiter.consume([charge(minute, 'a', 3)], T0)
      expect(allowed(await limiter.consume([charge(minute, 'b', 3)], T0))).toBe(true)
      expect(allowed(await limiter.consume([charge(hour, 'a', 5)], T0))).toBe(true)
      expect(allowed(await limiter.consume([charge(minute, 'a', 1)], T0))).toBe(false)
    })

    it('never confuses two pairs of policy and partition that read alike when joined', async () => {
      const limiter = await create()
      await limiter.consume([charge(policy({ id: 'ab', quota: 1 }), 'c')], T0)
      expect(allowed(await limiter.consume([charge(policy({ id: 'a', quota: 1 }), 'bc')], T0))).toBe(true)
    })

    it('only looks with a cost of 0', async () => {
      const limiter = await create()
      const [before] = await limiter.consume([charge(minute, 'a', 0)], T0)
      expect(before).toMatchObject({ exceeded: false, remaining: 3 })
      await limiter.consume([charge(minute, 'a', 3)], T0)
      const [after] = await limiter.consume([charge(minute, 'a', 0)], T0 + 1)
      expect(after).toMatchObject({ exceeded: true, remaining: 0 })
    })

    it('refuses a cost above what is left and admits a smaller one', async () => {
      const limiter = await create()
      await limiter.consume([charge(minute, 'a', 2)], T0)
      expect(allowed(await limiter.consume([charge(minute, 'a', 2)], T0))).toBe(false)
      expect(allowed(await limiter.consume([charge(minute, 'a', 1)], T0))).toBe(true)
    })

    it('lets two charges of one call share a counter', async () => {
      const limiter = await create()
      expect(allowed(await limiter.consume([charge(minute, 'a', 2), charge(minute, 'a', 2)], T0))).toBe(false)
      expect(allowed(await limiter.consume([charge(minute, 'a', 3)], T0))).toBe(true)
    })

    it('aligns calendar windows to the epoch', async () => {
      const limiter = await create()
      const calendar = policy({ id: 'calendar', quota: 1, windowMs: 60_000, algorithm: 'calendar' })
      const aligned = T0 - (T0 % 60_000)
      const [first] = await limiter.consume([charge(calendar)], aligned + 59_000)
      expect(first?.resetsAt).toBe(aligned + 60_000)
      expect(allowed(await limiter.consume([charge(calendar)], aligned + 60_000))).toBe(true)
    })

    it('weighs the previous window in a sliding one', async () => {
      const limiter = await create()
      const sliding = policy({ id: 'sliding', quota: 10, windowMs: 60_000, algorithm: 'sliding' })
      const aligned = T0 - (T0 % 60_000)
      await limiter.consume([charge(sliding, 'a', 10)], aligned + 30_000)
      expect(allowed(await limiter.consume([charge(sliding, 'a', 1)], aligned + 60_000))).toBe(false)
      expect(allowed(await limiter.consume([charge(sliding, 'a', 5)], aligned + 90_000))).toBe(true)
      expect(allowed(await limiter.consume([charge(sliding, 'a', 1)], aligned + 90_000))).toBe(false)
    })

    it('makes a window that was spent whole twice as long the next time, up to a length, and forgets it after a quiet one', async () => {
      const limiter = await create()
      const growing = policy({ id: 'growing', quota: 2, windowMs: 1_000, backoffMs: 4_000 })
      let now = T0
      const lengths = []
      for (let window = 0; window < 5; window += 1) {
        await limiter.consume([charge(growing, 'a', 2)], now)
        const [refused] = await limiter.consume([charge(growing)], now)
        expect(refused?.exceeded).toBe(true)
        lengths.push((refused?.retryAt ?? 0) - now)
        now = refused?.retryAt ?? 0
      }
      expect(lengths).toEqual([1_000, 2_000, 4_000, 4_000, 4_000])
      const [patient] = await limiter.consume([charge(growing)], now + 4_000)
      expect(patient?.resetsAt).toBe(now + 5_000)
    })

    it('forgives a growing window that was not spent whole', async () => {
      const limiter = await create()
      const growing = policy({ id: 'growing', quota: 2, windowMs: 1_000, backoffMs: 4_000 })
      await limiter.consume([charge(growing, 'a', 2)], T0)
      const [second] = await limiter.consume([charge(growing)], T0 + 1_000)
      expect(second?.resetsAt).toBe(T0 + 3_000)
      const [third] = await limiter.consume([charge(growing)], T0 + 3_000)
      expect(third?.resetsAt).toBe(T0 + 4_000)
    })

    it('refills gcra continuously and admits the burst at once', async () => {
      const limiter = await create()
      const gcra = policy({ id: 'gcra', quota: 60, windowMs: 60_000, algorithm: 'gcra', burst: 2 })
      expect(allowed(await limiter.consume([charge(gcra)], T0))).toBe(true)
      expect(allowed(await limiter.consume([charge(gcra)], T0))).toBe(true)
      const [refused] = await limiter.consume([charge(gcra)], T0)
      expect(refused).toMatchObject({ exceeded: true, retryAt: T0 + 1_000 })
      expect(allowed(await limiter.consume([charge(gcra)], T0 + 999))).toBe(false)
      expect(allowed(await limiter.consume([charge(gcra)], T0 + 1_000))).toBe(true)
    })

    it('retries at the moment it names, for every algorithm', async () => {
      for (const algorithm of ['fixed', 'calendar', 'sliding', 'gcra'] as const) {
        const limiter = await create()
        const one = policy({ id: algorithm, quota: 7, windowMs: 10_000, algorithm })
        for (let n = 0; n < 7; n += 1) await limiter.consume([charge(one)], T0 + n)
        const [refused] = await limiter.consume([charge(one)], T0 + 10)
        expect([algorithm, refused?.exceeded]).toEqual([algorithm, true])
        const [again] = await limiter.consume([charge(one)], refused?.retryAt ?? 0)
        expect([algorithm, again?.exceeded]).toEqual([algorithm, false])
      }
    })

    it('lets a shadow policy report without refusing', async () => {
      const limiter = await create()
      const shadow = policy({ id: 'shadow', quota: 1, shadow: true })
      await limiter.consume([charge(shadow), charge(minute)], T0)
      const [told, real] = await limiter.consume([charge(shadow), charge(minute)], T0)
      expect([told?.exceeded, real?.exceeded, real?.remaining]).toEqual([true, false, 1])
    })
  })
}
