// Answers that come without a question (T12). Repeats CVE-2026-48931 and CVE-2026-105481 (Node's Agent), CVE-2026-6733 (undici),
// CVE-2026-71324 (Traefik), GHSA-77r5-gw3j-2mpf (Next.js) and CVE-2026-90678 (HAProxy). What remains while the event loop is busy is
// said in docs/security-model.md; `keep_alive: false` closes it, and that is attacked here too.
import { afterAll, describe, expect, it } from 'vitest'
import { rawRequest } from '../support/raw-client.ts'
import { rawClient, startRawUpstream } from '../support/raw-socket.ts'
import { startAttacked } from './attacked.ts'
import { bytesOf } from './target.ts'

const answer = (text: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`
const POISON = answer('POISON')
const echo = (piece: string): string => answer(`for ${/^\S+ (\S+)/.exec(piece)?.[1]}`)

const speakers = {
  'in the same write': (write: (text: string) => void, piece: string) => write(`${echo(piece)}${POISON}`),
  'a turn later': (write: (text: string) => void, piece: string) => {
    write(echo(piece))
    setImmediate(() => write(POISON))
  },
  'a moment later': (write: (text: string) => void, piece: string) => {
    write(echo(piece))
    setTimeout(() => write(POISON), 5)
  },
  'behind a 204': (write: (text: string) => void) => write(`HTTP/1.1 204 No Content\r\n\r\n${POISON}`),
  'behind a length that is too short': (write: (text: string) => void) => write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nA${POISON}`),
  'behind the last chunk': (write: (text: string) => void) => write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n0\r\n\r\n${POISON}`),
  'behind a 304': (write: (text: string) => void) => write(`HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n${POISON}`),
} as const

const closing: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const close of closing.toReversed()) await close()
})

async function start(speak: (write: (text: string) => void, piece: string) => void, keepAlive: boolean) {
  const upstream = await startRawUpstream((socket, piece) => speak((text) => void (socket.writable && socket.write(text)), piece))
  const attacked = await startAttacked({
    version: 1, listen: '127.0.0.1:0', ops: 'off', client_ip: { direct: true },
    upstreams: { app: { url: `http://127.0.0.1:${upstream.port}`, keep_alive: keepAlive, timeout: '3s' } },
    authenticators: { key: { type: 'api_key', keys: [{ id: 'k', value: 'some-key-of-a-client' }] } }, routes: [{ match: { path: '/**' }, auth: 'none' }],
  })
  closing.push(upstream.close, attacked.close)
  return { ...attacked, upstream }
}

async function ask(port: number, clients: number, each: number, between: () => Promise<void> = async () => undefined): Promise<string[]> {
  const one = async (client: number): Promise<string[]> => {
    const seen: string[] = []
    for (let nth = 0; nth < each; nth += 1) {
      const path = `/c${client}-${nth}`
      const answers = await rawRequest(port, bytesOf(`GET ${path}`, ['Connection: close']), { timeoutMs: 5_000 })
      expect(answers).toHaveLength(1)
      const { body, status } = answers[0]!
      expect(['A', '', `for ${path}`].includes(body) || status >= 500, `${path} got ${JSON.stringify(body)}`).toBe(true)
      seen.push(body)
      await between()
    }
    return seen
  }
  return (await Promise.all(Array.from({ length: clients }, (_, client) => one(client)))).flat()
}

describe.each(Object.entries(speakers))('an answer that nobody asked for, %s', (_title, speak) => {
  it('reaches no later client of an idle connection', async () => {
    const { port, events } = await start(speak, true)
    // One client, and pauses in which the unasked answer finds the connection idle: what crosses a request on its way cannot be told apart.
    const seen = await ask(port, 1, 8, () => new Promise((resolve) => setTimeout(resolve, 25)))
    expect(seen.filter((body) => body.includes('POISON'))).toEqual([])
    expect(events.faulted).toEqual([])
  })
})

it('an answer that arrives on an idle connection just after the next request was allowed is not taken for its answer', async () => {
  const { port, events, upstream } = await start((write, piece) => write(echo(piece)), true)
  // In the very callback in which the request was read and judged: one turn of the event loop later it would be too late to tell.
  const push = events.decided.push.bind(events.decided)
  events.decided.push = (...told) => {
    for (const socket of upstream.sockets) socket.write(POISON)
    return push(...told)
  }
  expect((await ask(port, 1, 20)).filter((body) => body.includes('POISON'))).toEqual([])
  expect(events.faulted).toEqual([])
})

it('with keep_alive: false no connection has a second request, so there is no later client', async () => {
  const { port, upstream } = await start((write, piece) => write(echo(piece)), false)
  const block = async (): Promise<void> => {
    const until = performance.now() + 10
    while (performance.now() < until);
  }
  const seen = await ask(port, 6, 6, block)
  expect(seen.filter((body) => body.includes('POISON'))).toEqual([])
  expect(upstream.received).toHaveLength(36)
  for (const text of upstream.received) expect(text.match(/^GET /gm)).toHaveLength(1)
})

it('an early answer to a body that is still coming is the last one of both connections', async () => {
  const { port } = await start((write, piece) => {
    if (piece.startsWith('POST')) write(answer('early'))
    else if (piece.startsWith('GET')) write(echo(piece))
  }, true)
  for (let nth = 0; nth < 5; nth += 1) {
    const client = rawClient(port)
    client.send(bytesOf('POST /up', ['Content-Length: 1000'], 'x'.repeat(10)))
    await client.until('early')
    client.send(`${'x'.repeat(990)}${bytesOf('GET /inner')}`)
    expect(await client.ended()).not.toContain('for /inner')
    expect(await ask(port, 1, 1)).toEqual(['for /c0-0'])
  }
})
