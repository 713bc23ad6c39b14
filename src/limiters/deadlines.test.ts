import { MessageChannel } from 'node:worker_threads'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createDeadlines } from './deadlines.ts'

describe('deadlines', () => {
  it('end what was not answered, in the order it came, and leave the rest alone', async () => {
    const deadlines = createDeadlines(20)
    const ended: string[] = []
    const stops = ['a', 'b', 'c'].map((name) => deadlines.start(() => ended.push(name)))
    expect(stops[1]!()).toBe(true)
    await wait(60)
    expect(ended).toEqual(['a', 'c'])
    expect(stops[0]!()).toBe(false)
    expect(deadlines.size()).toBe(0)
  })

  it('read what has arrived before they give up: after a pause of this process the answer is there already', async () => {
    const deadlines = createDeadlines(20)
    let expired = false
    const stop = deadlines.start(() => (expired = true))
    // The answer lies in the socket while the process is busy with something else for longer than the deadline.
    const { port1, port2 } = new MessageChannel()
    const answered = new Promise<boolean>((resolve) => port2.once('message', () => resolve(stop())))
    port1.postMessage('answer')
    const end = performance.now() + 60
    while (performance.now() < end);
    expect(await answered).toBe(true)
    expect(expired).toBe(false)
    port1.close()
  })

  it('keep no list of what was answered', async () => {
    const deadlines = createDeadlines(10)
    for (let n = 0; n < 1_000; n += 1) deadlines.start(() => undefined)()
    expect(deadlines.size()).toBe(0)
    await wait(30)
    deadlines.expireAll()
    expect(deadlines.size()).toBe(0)
  })
})
