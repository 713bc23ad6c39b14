import { describe, expect, it } from 'vitest'
import { KeyStoreUnavailable, type KeyStore } from './key-store.ts'
import { createMemoryStore } from './memory-store.ts'
import { createStorePulse } from './store-pulse.ts'

function pulse(generation: KeyStore['generation']) {
  const time = { now: 1_000, asked: 0 }
  const store: KeyStore = { ...createMemoryStore(), generation: () => {
    time.asked += 1
    return generation()
  } }
  return { time, pulse: createStorePulse({ store, clock: () => time.now, everyMs: 100 }) }
}

describe('whether a store answers', () => {
  it('is not known before it was asked, and is asked for by looking', async () => {
    const { time, pulse: subject } = pulse(async () => '1')
    expect(subject.state()).toEqual({ answeredAt: undefined, error: undefined })
    await subject.tried()
    expect(subject.state()).toEqual({ answeredAt: 1_000, error: undefined })
    expect(time.asked).toBe(1)
  })

  it('is seen on the questions of others, so that a busy store is asked nothing more', async () => {
    const { time, pulse: subject } = pulse(() => '1')
    for (time.now = 1_000; time.now < 2_000; time.now += 50) {
      void subject.store.generation()
      subject.state()
    }
    expect(time.asked).toBe(20)
    expect(subject.state().answeredAt).toBe(1_950)
  })

  it('is asked once for any number of looks', async () => {
    const { time, pulse: subject } = pulse(() => new Promise((resolve) => setImmediate(() => resolve('1'))))
    for (let n = 0; n < 50; n += 1) subject.state()
    await subject.tried()
    for (let n = 0; n < 50; n += 1) subject.state()
    expect(time.asked).toBe(1)
  })

  it('tells since when it does not, and why; who asked is told too', async () => {
    let down = false
    const { time, pulse: subject } = pulse(async () => {
      if (down) throw new KeyStoreUnavailable('no connection')
      return '1'
    })
    await subject.tried()
    down = true
    time.now = 5_000
    await expect(Promise.resolve(subject.store.generation())).rejects.toThrow('no connection')
    expect(subject.state()).toEqual({ answeredAt: 1_000, error: 'no connection' })
    down = false
    time.now = 9_000
    subject.state()
    await expect.poll(() => subject.state()).toEqual({ answeredAt: 9_000, error: undefined })
  })
})
