import { createServer, type Server } from 'node:http'
import { connect, Server as NetServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Newcomers, watchNewcomers } from './newcomers.ts'

let server: Server
let newcomers: Newcomers
const clients: Socket[] = []

async function arrive(): Promise<Socket> {
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  clients.push(client)
  await Promise.all([once(server, 'connection'), once(client, 'connect')])
  return client
}

beforeEach(async () => {
  server = createServer((_request, response) => response.end('heard'))
  newcomers = watchNewcomers(server, false)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
  server.close()
})

describe('connections that came just before the end', () => {
  it('are waited for until each has asked, and its answer is not cut off', async () => {
    const client = await arrive()
    NetServer.prototype.close.call(server)
    let heard = false
    const hearing = newcomers.heard(10_000).then(() => void (heard = true))
    await new Promise(setImmediate)
    expect(heard).toBe(false)
    client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    const [answer] = await once(client, 'data')
    expect(String(answer)).toContain('200 OK')
    await hearing
  })

  it('are not waited for when they left', async () => {
    const client = await arrive()
    client.destroy()
    await newcomers.heard(10_000)
  })

  it('are not waited for beyond the time there is', async () => {
    await arrive()
    await newcomers.heard(10)
  })

  it('are taken from the system before the listener closes', async () => {
    const waiting = Array.from({ length: 50 }, () => connect((server.address() as AddressInfo).port, '127.0.0.1'))
    clients.push(...waiting)
    await Promise.all(waiting.map((client) => once(client, 'connect')))
    await newcomers.taken()
    expect(await new Promise((resolve) => void server.getConnections((_error, count) => resolve(count)))).toBe(50)
  })
})
