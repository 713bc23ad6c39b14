import { describe, expect, it } from 'vitest'
import { policy } from '../../test/support/described.ts'
import { eventually } from '../../test/support/redis.ts'
import { SILENT, type Observer } from '../model/event.ts'
import { LimiterUnavailable } from '../model/ports.ts'
import type { OnUnavailable } from '../model/quota.ts'
import { createRedisLimiter, type RedisLimiter } from './redis.ts'
import type { StoreClient } from './store-client.ts'

/** A store in a few lines: what it says next is up to the test. */
interface FakeStore {
  readonly client: StoreClient
  answer: (args: readonly string[]) => Promise<unknown>
  ready: boolean
  calls: number
  restarts: number
  readonly emit: (event: 'ready' | 'close' | 'error', error?: Error) => void
}

const admits = async ([call, , ...charges]: readonly string[]): Promise<string> => [`${call} 1`, ...charges.map(() => '1 9 1000 0 1')].join(';')
const silence = (): Promise<never> => new Promise(() => undefined)

function fakeStore(): FakeStore {
  const listeners = new Map<string, ((error?: Error) => void)[]>()
  const store: FakeStore = {
    answer: admits,
    ready: true,
    calls: 0,
    restarts: 0,
    emit: (event, error) => listeners.get(event)?.forEach((listener) => listener(error)),
    client: {
      connect: () => undefined,
      isReady: () => store.ready,
      run: (_script, _keys, args) => {
        store.calls += 1
        return store.answer(args)
      },
      command: async () => '0',
      restart: () => void (store.restarts += 1),
      close: () => undefined,
      on: (event, listener) => void listeners.set(event, [...(listeners.get(event) ?? []), listener]),
    },
  }
  return store
}

interface Watched { readonly store: FakeStore; readonly limiter: RedisLimiter; readonly noticed: string[]; readonly called: string[]; readonly opened: string[] }

async function start({ share = 1, deadlineMs = 20 }: { share?: number; deadlineMs?: number } = {}): Promise<Watched> {
  const store = fakeStore()
  const [noticed, called, opened]: string[][] = [[], [], []]
  const observer: Observer = { ...SILENT, noticed: (_level, code) => void noticed!.push(code), called: ({ outcome }) => void called!.push(outcome), failedOpen: (reason) => void opened!.push(reason) }
  const limiter = createRedisLimiter({ store: { kind: 'single', nodes: [{ host: '127.0.0.1', port: 1 }], deadlineMs }, prefix: 'p', secret: new Uint8Array(32), share, observer, client: store.client })
  await limiter.ready()
  return { store, limiter, noticed: noticed!, called: called!, opened: opened! }
}

const charge = (onUnavailable: OnUnavailable = 'local', quota = 10) => [{ policy: policy({ id: onUnavailable, quota, onUnavailable }), partition: 'a', cost: 1 }]

describe('while the store does not answer', () => {
  it('no call waits longer than the deadline, and after five nobody asks any more', async () => {
    const { store, limiter, noticed } = await start({ share: 1 })
    store.answer = silence
    const startedAt = performance.now()
    await Promise.all(Array.from({ length: 20 }, () => limiter.consume(charge(), 1_000)))
    expect(performance.now() - startedAt).toBeLessThan(500)
    expect(limiter.state().status).toBe('down')
    expect(noticed).toEqual(['store_available', 'store_unavailable'])
    const before = store.calls
    for (let n = 0; n < 100; n += 1) await limiter.consume(charge(), 1_000)
    expect(store.calls - before).toBeLessThanOrEqual(1)
    await limiter.close()
  })

  it('the connection goes with the calls that were given up, so that they do not run behind the next ones', async () => {
    const { store, limiter } = await start()
    store.answer = silence
    await Promise.all(Array.from({ length: 5 }, () => limiter.consume(charge(), 1_000)))
    expect(store.restarts).toBe(1)
    await limiter.close()
  })

  it('at most a thousand calls wait; the next is decided at once', async () => {
    const { store, limiter } = await start({ deadlineMs: 2_000 })
    store.answer = silence
    const waiting = Array.from({ length: 1_000 }, () => limiter.consume(charge('local', 100_000), 1_000))
    expect(store.calls).toBe(1_001)
    expect(limiter.consume(charge('local', 100_000), 1_000)).not.toBeInstanceOf(Promise)
    expect(store.calls).toBe(1_001)
    store.emit('close')
    await Promise.all(waiting)
    await limiter.close()
  })

  it('one slow moment does not switch anything', async () => {
    const { store, limiter, noticed, called } = await start()
    store.answer = silence
    await Promise.all(Array.from({ length: 4 }, () => limiter.consume(charge(), 1_000)))
    store.answer = admits
    await limiter.consume(charge(), 1_000)
    expect(noticed).toEqual(['store_available'])
    expect(called).toEqual(['timeout', 'timeout', 'timeout', 'timeout', 'ok'])
    await limiter.close()
  })

  it.each<[OnUnavailable, string]>([['local', 'enforces the share of this replica'], ['deny', 'refuses as unavailable'], ['allow', 'lets everything through']])('%s %s', async (onUnavailable) => {
    const { store, limiter, opened } = await start({ share: 0.25 })
    store.answer = () => Promise.reject(new Error('gone'))
    const ask = async (): Promise<string> => {
      try {
        const [limit] = await limiter.consume(charge(onUnavailable), 1_000)
        expect(limit?.policy.quota).toBe(10)
        return limit?.exceeded ? 'refused' : 'let through'
      } catch (error) {
        expect(error).toBeInstanceOf(LimiterUnavailable)
        return 'unavailable'
      }
    }
    const answers = []
    for (let n = 0; n < 4; n += 1) answers.push(await ask())
    expect(answers).toEqual({ local: ['let through', 'let through', 'refused', 'refused'], deny: Array(4).fill('unavailable'), allow: Array(4).fill('let through') }[onUnavailable])
    expect(new Set(opened)).toEqual(new Set({ local: ['rate_limit_store_local'], deny: [], allow: ['rate_limit_store'] }[onUnavailable]))
    await limiter.close()
  })

  it('a policy that only counts never denies for want of a store', async () => {
    const { store, limiter } = await start()
    store.answer = () => Promise.reject(new Error('gone'))
    const shadow = { policy: policy({ shadow: true, onUnavailable: 'deny' }), partition: 'a', cost: 1 }
    expect((await limiter.consume([shadow], 1_000))[0]?.exceeded).toBe(false)
    await limiter.close()
  })

  it('what was refused for want of a store is not remembered when it is back', async () => {
    const { store, limiter } = await start({ share: 0.1 })
    store.answer = () => Promise.reject(new Error('gone'))
    await limiter.consume(charge(), 1_000)
    expect((await limiter.consume(charge(), 1_000))[0]?.exceeded).toBe(true)
    store.answer = admits
    await eventually(() => limiter.state().status !== 'down', 'it is back')
    expect((await limiter.consume(charge(), 1_000))[0]?.exceeded).toBe(false)
    await limiter.close()
  })
})

describe('when the store is back', () => {
  it('is asked little by little, and says each switch once', async () => {
    const { store, limiter, noticed } = await start()
    store.answer = () => Promise.reject(new Error('gone'))
    await limiter.consume(charge(), 1_000)
    store.answer = admits
    await eventually(() => limiter.state().status === 'recovering', 'a probe finds it')
    const before = store.calls
    const first = Array.from({ length: 50 }, () => limiter.consume(charge('local', 1_000), 1_000))
    expect(store.calls - before).toBe(4)
    await Promise.all(first)
    while (limiter.state().status === 'recovering') await limiter.consume(charge('local', 1_000), 1_000)
    expect(limiter.state()).toMatchObject({ status: 'serving' })
    expect(noticed).toEqual(['store_available', 'store_unavailable', 'store_recovering', 'store_available'])
    await limiter.close()
  })

  it('is left alone again at the first failure', async () => {
    const { store, limiter } = await start()
    store.answer = () => Promise.reject(new Error('gone'))
    await limiter.consume(charge(), 1_000)
    store.answer = admits
    await eventually(() => limiter.state().status === 'recovering', 'a probe finds it')
    store.answer = () => Promise.reject(new Error('gone again'))
    await limiter.consume(charge(), 1_000)
    expect(limiter.state()).toMatchObject({ status: 'down', detail: 'gone again' })
    await limiter.close()
  })
})

describe('an answer that is not ours', () => {
  it('is no answer: the connection is left, and nobody is let through by it (T54)', async () => {
    const { store, limiter } = await start({ share: 0.1 })
    store.answer = async () => '424242 1;1 9 1000 0 1'
    expect((await limiter.consume(charge(), 1_000))[0]?.remaining).toBe(0)
    expect(store.restarts).toBe(1)
    expect(limiter.state()).toMatchObject({ status: 'down', detail: 'the store answered another call' })
    await limiter.close()
  })

  it('is no answer either when it speaks of another number of charges', async () => {
    const { store, limiter } = await start({ share: 0.1 })
    store.answer = async ([call]) => `${call} 1`
    expect((await limiter.consume(charge(), 1_000))[0]?.remaining).toBe(0)
    await limiter.close()
  })
})

describe('a config that is only looked at', () => {
  it('connects nowhere', async () => {
    const store = fakeStore()
    let connected = 0
    const limiter = createRedisLimiter({ store: { kind: 'single', nodes: [{ host: '127.0.0.1', port: 1 }], deadlineMs: 50 }, prefix: 'p', secret: new Uint8Array(32), share: 1, observer: SILENT, client: { ...store.client, connect: () => void (connected += 1) } })
    expect(limiter.state().status).toBe('down')
    await limiter.close()
    expect([connected, store.calls]).toEqual([0, 0])
  })
})
