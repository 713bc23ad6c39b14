import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { headerOf, rawRequest } from './raw-client.ts'

let server: Server | undefined

/** A server that says `speech` once something came, and hangs up if so told. */
async function saying(speech: string, { hangUp = true, onData = (_chunk: Buffer): void => undefined } = {}): Promise<number> {
  server = createServer((socket: Socket) => {
    socket.on('error', () => undefined)
    socket.on('data', onData)
    socket.once('data', () => {
      socket.write(Buffer.from(speech, 'latin1'))
      if (hangUp) socket.end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

afterEach(() => void server?.close())

describe('rawRequest', () => {
  it('writes exactly the bytes it was given, piece by piece', async () => {
    const seen: Buffer[] = []
    const port = await saying('', { hangUp: false, onData: (chunk) => seen.push(chunk) })
    await rawRequest(port, ['GET /\u0000\u00ff\n', Buffer.from([1, 2]), ''], { timeoutMs: 100 })
    expect(Buffer.concat(seen)).toEqual(Buffer.from('GET /\u0000\u00ff\n\u0001\u0002', 'latin1'))
  })

  it('reads every answer of a connection, in order, by its framing', async () => {
    const port = await saying([
      'HTTP/1.1 100 Continue\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 2\r\n\r\nhi',
      'HTTP/1.1 204 No Content\r\n\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
      'HTTP/1.1 401 \r\n\r\nuntil the end\u00ff',
    ].join(''))
    const answers = await rawRequest(port, 'x')
    expect(answers.map(({ status, body }) => [status, body])).toEqual([[100, ''], [200, 'hi'], [204, ''], [200, 'abc'], [401, 'until the end\u00ff']])
    expect(headerOf(answers[1]!, 'X-A')).toEqual(['1', '2'])
    expect(answers[1]!.raw).toBe('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 2\r\n\r\nhi')
    expect(answers.every(({ closed }) => closed)).toBe(true)
  })

  it('ends when nothing comes any more, and says that the connection is still open', async () => {
    const [answer] = await rawRequest(await saying('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', { hangUp: false }), 'x', { timeoutMs: 50 })
    expect(answer).toMatchObject({ status: 200, closed: false })
  })

  it('ends when as many answers are there as were asked for', async () => {
    const port = await saying('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', { hangUp: false })
    const answers = await rawRequest(port, 'x', { timeoutMs: 15_000, answers: 1 })
    expect(answers.map(({ status }) => status)).toEqual([100, 200])
  })

  it('gives nothing when the other side hangs up without a word', async () => {
    expect(await rawRequest(await saying(''), 'x')).toEqual([])
  })

  it('fails when nobody listens', async () => {
    const port = await saying('')
    await new Promise((resolve) => server!.close(resolve))
    await expect(rawRequest(port, 'x')).rejects.toThrow('ECONNREFUSED')
  })

  it.each([
    ['an answer cut short', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi'],
    ['half a head', 'HTTP/1.1 200 OK\r\n'],
    ['no HTTP', 'hello\r\n\r\n'],
    ['bytes behind an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
  ])('does not take %s for an answer', async (_title, speech) => {
    await expect(rawRequest(await saying(speech), 'x')).rejects.toThrow(/answer/)
  })
})
