import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { upstream } from '../../../test/support/gateway.ts'
import { openSocket } from './open-socket.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A socket to a server of its own, and the server's end of it. */
async function pair(): Promise<readonly [mine: Socket, theirs: Socket]> {
  const server = createServer()
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const theirs = once(server, 'connection') as Promise<[Socket]>
  const mine = await new Promise<Socket>((resolve, reject) => openSocket(upstream((server.address() as AddressInfo).port), (error, socket) => (socket ? resolve(socket) : reject(error as Error))))
  return [mine, (await theirs)[0]]
}

it('what one socket has read stays as it was when others read, and is whole after a pause', async () => {
  const [[first, firstServer], [second, secondServer]] = await Promise.all([pair(), pair()])
  const kept: Buffer[] = []
  first.on('data', (chunk: Buffer) => void kept.push(chunk)).resume()
  second.on('data', () => undefined).resume()
  const size = 300_000
  for (let byte = 1; byte <= 3; byte += 1) {
    firstServer.write(Buffer.alloc(size, byte))
    while (kept.reduce((sum, { length }) => sum + length, 0) < size * byte) await once(first, 'data')
    first.pause()
    secondServer.write(Buffer.alloc(200_000, 0xff))
    await once(second, 'data')
    first.resume()
  }
  expect(Buffer.concat(kept).equals(Buffer.concat([1, 2, 3].map((byte) => Buffer.alloc(size, byte))))).toBe(true)
  const ends = once(first, 'close')
  firstServer.end()
  first.end()
  await ends
  second.destroy()
  secondServer.destroy()
})

it('a paused socket reads nothing', async () => {
  const [mine, theirs] = await pair()
  let read = 0
  mine.on('data', (chunk: Buffer) => void (read += chunk.length)).pause()
  await new Promise((resolve) => theirs.write('hello', resolve))
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
  expect(read).toBe(0)
  const arrives = once(mine, 'data')
  mine.resume()
  await arrives
  expect(read).toBe(5)
  mine.destroy()
  theirs.destroy()
})
