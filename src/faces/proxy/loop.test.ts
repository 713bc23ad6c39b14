import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as loop from './loop.ts'

const afterReading = (run: () => void): void => loop.afterReading({ run })
const afterOneTurn = (run: () => void): void => loop.afterOneTurn({ run })

/** Writes an answer; the promise is settled when the system has it. */
const writeAnswer = (socket: Socket, text: string, waits: () => void = () => undefined): Promise<void> =>
  new Promise((resolve) => loop.writeAnswer({ socket, text, written: resolve, waits }))

interface Pair { readonly near: Socket; readonly far: Socket }

const opened: Socket[] = []
let port = 0
const server = createServer({ noDelay: true })

async function pair(): Promise<Pair> {
  const [[near], far] = await Promise.all([once(server, 'connection') as Promise<[Socket]>, (async () => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return socket
  })()])
  opened.push(near, far)
  return { near, far }
}

beforeEach(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterEach(async () => {
  for (const socket of opened.splice(0)) socket.destroy()
  server.close()
  await once(server, 'close')
})

/** Says what happens first: that `near` is read, or the callback; the byte has arrived when the callback is asked for. */
async function first(one: Pair, ask: (then: () => void) => void, where: (now: () => void) => void): Promise<readonly string[]> {
  const seen: string[] = []
  await new Promise<void>((resolve) => {
    const saw = (what: string): void => {
      seen.push(what)
      if (seen.length === 2) resolve()
    }
    one.near.once('data', () => saw('read'))
    where(() => {
      one.far.write('x')
      ask(() => saw('called back'))
    })
  })
  return seen
}

describe('after one turn of the event loop', () => {
  it('everything is read that had arrived before, when asked for in the midst of a poll', async () => {
    const [one, other] = [await pair(), await pair()]
    // The list of sockets to be read in this poll is made by now: the byte that arrives here is not in it.
    const order = await first(one, afterOneTurn, (now) => {
      other.near.once('data', now)
      other.far.write('y')
    })
    expect(order).toEqual(['read', 'called back'])
  })

  it('and when asked for after a poll', async () => {
    expect(await first(await pair(), afterOneTurn, (now) => afterReading(now))).toEqual(['read', 'called back'])
  })

  it('and not in the turns after: one is enough', async () => {
    const turns: number[] = []
    let turn = 0
    const count = (): void => {
      turn += 1
      if (turns.length < 2) setImmediate(count)
    }
    await new Promise<void>((resolve) => {
      setTimeout(() => {
        setImmediate(count)
        afterOneTurn(() => turns.push(turn))
        afterReading(() => {
          afterOneTurn(() => {
            turns.push(turn)
            resolve()
          })
        })
      }, 1)
    })
    expect(turns).toEqual([2, 2])
  })
})

describe('what is done when all has been read', () => {
  it('comes before anything of the next turn is read', async () => {
    const [one, other] = [await pair(), await pair()]
    expect(await first(one, afterReading, (now) => {
      other.near.once('data', now)
      other.far.write('y')
    })).toEqual(['called back', 'read'])
  })

  it('comes for all that came together before the first of their answers is written', async () => {
    const pairs = [await pair(), await pair(), await pair()]
    const seen: string[] = []
    await new Promise<void>((resolve) => {
      for (const [n, { near }] of pairs.entries()) {
        afterReading(() => {
          seen.push(`judged ${n}`)
          loop.writeAnswer({ socket: near, text: `answer ${n}`, waits: () => undefined, written: () => {
            seen.push(`written ${n}`)
            if (n === 2) resolve()
          } })
          seen.push(`bytes ${near.bytesWritten}`)
        })
      }
    })
    expect(seen).toEqual(['judged 0', 'bytes 0', 'judged 1', 'bytes 0', 'judged 2', 'bytes 0', 'written 0', 'written 1', 'written 2'])
    const [text] = await once(pairs[1]!.far, 'data') as [Buffer]
    expect(text.toString()).toBe('answer 1')
  })

  it('an answer that is given later leaves in the turn in which it is given', async () => {
    const { near, far } = await pair()
    setTimeout(() => void writeAnswer(near, 'late'), 1)
    const [text] = await once(far, 'data') as [Buffer]
    expect(text.toString()).toBe('late')
  })

  it('an answer to who has left is not told to have been written, and others are', async () => {
    const [gone, here] = [await pair(), await pair()]
    const told: string[] = []
    gone.near.destroy()
    await Promise.all([gone, here].map(({ near }, n) => {
      void writeAnswer(near, 'x').then(() => told.push(`written ${n}`))
      return near.destroyed ? once(near, 'close') : once(here.far, 'data')
    }))
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).toEqual(['written 1'])
  })

  it('an answer that the system does not take at once is told to wait, and to be written when it has gone', async () => {
    const { near, far } = await pair()
    const text = 'x'.repeat(32 * 1_024 * 1_024)
    const told: string[] = []
    far.pause()
    let written: Promise<unknown> = Promise.resolve()
    await new Promise<void>((resolve) => {
      written = writeAnswer(near, text, () => {
        told.push('waits')
        resolve()
      }).then(() => told.push('written'))
    })
    expect(told).toEqual(['waits'])
    let length = 0
    far.on('data', (chunk: Buffer) => (length += chunk.length)).resume()
    await written
    expect(told).toEqual(['waits', 'written'])
    near.end()
    await once(far, 'end')
    expect(length).toBe(text.length)
  })
})
