// Whose answer is whose (T17; I5). Repeats the mix-ups of state kept per connection: CVE-2026-71324 (Traefik), GHSA-77r5-gw3j-2mpf
// (Next.js), and the answers of other users behind CVE-2023-28858.
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { headerOf, rawRequest } from '../support/raw-client.ts'
import { rawClient, startRawUpstream } from '../support/raw-socket.ts'
import { valuesOf } from '../support/strict-http.ts'
import { startAttacked } from './attacked.ts'
import { bearer, bytesOf, chunked, HANDSHAKE, KEY, startTarget } from './target.ts'

const { attack, token, look, attacked } = await startTarget()
const { port } = attacked

const alice = bearer(await token({ sub: 'alice' }))
const bob = bearer(await token({ sub: 'bob' }))
const WHO: readonly (readonly [line: string | undefined, identity: string | undefined, status: number])[] = [
  [alice, 'alice', 200], [bob, 'bob', 200], [undefined, undefined, 401], [`X-API-Key: ${KEY}`, 'keyholder', 200], ['Authorization: Bearer e30.e30.x', undefined, 401],
]

/** A request with which a connection begins that the parser of Node reads on; all others here are ordinary, and read by ours. */
const rare = (path: string): string => bytesOf(`POST ${path}`, ['Transfer-Encoding: chunked'], chunked('rare'))

interface Echo { readonly headers: Readonly<Record<string, string>>; readonly path: string }

describe('a hundred requests in one write', () => {
  it('are answered in order, each with its own identity and its own nonce', async () => {
    const count = 100
    const requests = Array.from({ length: count }, (_, index) => {
      const [line] = WHO[index % WHO.length]!
      return bytesOf(`GET /guarded/${index}`, [`X-Nonce: n${index}`, ...(line === undefined ? [] : [line]), ...(index === count - 1 ? ['Connection: close'] : [])])
    })
    const { answers, arrived } = await attack(requests.join(''), { answers: count })
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: count }, (_, index) => WHO[index % WHO.length]![2]))
    for (const [index, answer] of answers.entries()) {
      const [, identity] = WHO[index % WHO.length]!
      if (identity === undefined) continue
      const { headers, path } = JSON.parse(answer.body) as Echo
      expect([headers['x-user-id'], headers['x-nonce'], path]).toEqual([identity, `n${index}`, `/guarded/${index}`])
    }
    expect(arrived).toHaveLength(60)
    expect(new Set(answers.flatMap((answer) => headerOf(answer, 'x-request-id'))).size).toBe(count)
  })

  it('with bodies, cut at every odd place, are the same requests', async () => {
    const text = Array.from({ length: 12 }, (_, index) => bytesOf(`POST /guarded/${index}`, [index % 2 === 0 ? alice : bob, `Content-Length: 3`, ...(index === 11 ? ['Connection: close'] : [])], `b${index % 10}!`)).join('')
    for (const size of [7, 61, 193]) {
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, index) => text.slice(index * size, (index + 1) * size))
      const { statuses, arrived } = await attack(pieces, { answers: 12 })
      expect(statuses).toEqual(Array.from({ length: 12 }, () => 200))
      for (const request of arrived) expect(valuesOf(request.headers, 'x-user-id')).toEqual([Number(request.target.split('/')[2]) % 2 === 0 ? 'alice' : 'bob'])
    }
  })

  it('on twenty connections at once do not mix', async () => {
    const one = async (index: number): Promise<void> => {
      const [line, identity] = [index % 2 === 0 ? alice : bob, index % 2 === 0 ? 'alice' : 'bob']
      const text = Array.from({ length: 10 }, (_, nth) => bytesOf(`GET /guarded/${index}-${nth}`, [line, `X-Nonce: ${index}-${nth}`, ...(nth === 9 ? ['Connection: close'] : [])])).join('')
      const answers = await rawRequest(port, text, { answers: 10, timeoutMs: 8_000 })
      for (const [nth, { body }] of answers.entries()) {
        const { headers } = JSON.parse(body) as Echo
        expect([headers['x-user-id'], headers['x-nonce']]).toEqual([identity, `${index}-${nth}`])
      }
    }
    await Promise.all(Array.from({ length: 20 }, (_, index) => one(index)))
    expect((await look()).arrived).toHaveLength(200)
  })
})

describe('what follows', () => {
  it('a refused message is not looked at', async () => {
    const { statuses, arrived } = await attack(bytesOf('GET /public/x', ['Content-Length: 1, 2']) + bytesOf('GET /guarded/y', [alice]), { answers: Infinity })
    expect(statuses).toEqual([400])
    expect(arrived).toEqual([])
  })

  it('Connection: close is not looked at', async () => {
    const { statuses, arrived } = await attack(bytesOf('GET /public/x', ['Connection: close']) + bytesOf('GET /guarded/y', [alice]), { answers: Infinity })
    expect(statuses).toEqual([200])
    expect(arrived).toHaveLength(1)
  })

  it.each(['\0\0\0\0', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n', 'nonsense\r\n\r\n'])('a whole request is no reason to lose its answer: %j', async (nonsense) => {
    const { statuses, arrived, answers } = await attack(bytesOf('GET /guarded/a', [alice]) + bytesOf('GET /guarded/b', [bob]) + nonsense, { answers: Infinity })
    expect(statuses).toEqual([200, 200, 400])
    expect(answers.at(-1)?.closed).toBe(true)
    expect(arrived).toHaveLength(2)
    const behind = await attack(rare('/public/x') + bytesOf('GET /guarded/b', [bob]) + nonsense, { answers: Infinity })
    expect(behind.statuses).toEqual([200, 200])
    expect(behind.answers.at(-1)?.closed).toBe(true)
  })

  it('a 401 on the same connection is judged on its own', async () => {
    const { statuses } = await attack(bytesOf('GET /guarded/a') + bytesOf('GET /guarded/b', [alice]) + bytesOf('GET /guarded/c', ['Connection: close']), { answers: 3 })
    expect(statuses).toEqual([401, 200, 401])
  })
})

describe('thousands of requests on one connection', () => {
  const crowd = async (): Promise<Awaited<ReturnType<typeof startAttacked>>> => {
    const upstream = await startRawUpstream((socket, piece) => void (piece.includes('/quick') && socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nquick')))
    const crowded = await startAttacked({ version: 1, listen: '127.0.0.1:0', ops: 'off', client_ip: { direct: true }, upstreams: { app: { url: `http://127.0.0.1:${upstream.port}`, timeout: '1s', max_connections: 200 } }, authenticators: { key: { type: 'api_key', keys: [{ id: 'k', value: KEY }] } }, routes: [{ match: { path: '/**' }, auth: 'none' }] })
    onTestFinished(() => Promise.all([crowded.close(), upstream.close()]).then(() => undefined))
    return crowded
  }

  it('do not take the room of everybody else: one of them at a time is looked at', async () => {
    const crowded = await crowd()
    const greedy = rawClient(crowded.port)
    greedy.send(bytesOf('GET /slow').repeat(3_000))
    await expect.poll(() => crowded.events.decided.length).toBe(1)
    expect((await rawRequest(crowded.port, bytesOf('GET /quick'), { answers: 1 }))[0]?.body).toBe('quick')
    expect(crowded.face.inFlight()).toBe(1)
    await expect.poll(() => crowded.events.decided.length, { timeout: 3_000 }).toBe(3)
    greedy.socket.destroy()
    await expect.poll(() => crowded.face.inFlight()).toBe(0)
    expect(crowded.events.decided.length).toBeLessThan(10)
  })

  it('are no more where they are looked at together: after 128 without an answer comes one 503, and then the end', async () => {
    const crowded = await crowd()
    const greedy = rawClient(crowded.port)
    greedy.send(rare('/slow') + bytesOf('GET /slow').repeat(3_000))
    await expect.poll(() => crowded.events.decided.length).toBe(129)
    expect(crowded.face.inFlight()).toBeLessThanOrEqual(129)
    expect((await rawRequest(crowded.port, bytesOf('GET /quick'), { answers: 1 }))[0]?.body).toBe('quick')
    const statuses = [...(await greedy.ended()).matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status)
    expect(statuses).toEqual([...Array.from({ length: 128 }, () => '504'), '503'])
    expect(crowded.face.inFlight()).toBe(0)
  })
})

// Found by `npm run fuzz -- --target wire-requests`: Node takes the connection away from the answers that wait, and those never close.
describe.each([
  ['CONNECT', 'CONNECT api.test:443 HTTP/1.1\r\nHost: api.test\r\n\r\n', [405]],
  ['an upgrade', bytesOf('GET /public/socket', HANDSHAKE), [200]],
])('%s behind requests that wait for their answers', (_what, last, own) => {
  it('is answered behind them, where they are looked at one by one', async () => {
    const { statuses, answers } = await attack(bytesOf('GET /public/1') + bytesOf('GET /public/2') + last, { answers: Infinity })
    expect(statuses).toEqual([200, 200, ...own])
    expect(answers.at(-1)?.closed).toBe(true)
  })

  it('does not answer before them, and ends the connection behind them', async () => {
    const { statuses, answers, arrived } = await attack(rare('/public/1') + bytesOf('GET /public/2') + last, { answers: Infinity })
    expect(statuses).toEqual([200, 200])
    expect(answers[1]?.closed).toBe(true)
    expect(arrived.map(({ target }) => target)).toEqual(['/public/1', '/public/2'])
  })

  it.each([['ours', ''], ['of Node', rare('/public/0')]])('leaves nothing in flight when the client goes, whose reader is %s', async (_whose, first) => {
    for (let nth = 0; nth < 5; nth += 1) {
      const socket = connect({ port, host: '127.0.0.1' })
      socket.on('error', () => undefined)
      socket.write(first + bytesOf('GET /public/1') + bytesOf('GET /public/2') + bytesOf('GET /public/3') + last)
      await new Promise((resolve) => setTimeout(resolve, nth * 3))
      socket.destroy()
    }
    await expect.poll(() => attacked.face.inFlight(), { timeout: 3_000 }).toBe(0)
    await look({ mayStayBehind: true })
  })
})
