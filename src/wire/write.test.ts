import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import type { Reply } from '../model/decision.ts'
import { writeAnswerHead, writeInformational, writeReply, writeReplyToSocket } from './write.ts'

const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

interface Handlers { readonly request?: (request: IncomingMessage, response: ServerResponse) => void; readonly upgrade?: (request: IncomingMessage, socket: Duplex) => void }

async function listen({ request, upgrade }: Handlers): Promise<number> {
  const server = createServer()
  if (request) server.on('request', request)
  if (upgrade) server.on('upgrade', upgrade)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** Everything the server sends until it hangs up, as text of bytes. */
function exchange(port: number, text: string, then?: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('end', () => socket.end())
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')))
    then?.(socket)
  })
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
const UPGRADE = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'

const REPLY: Reply = { status: 401, headers: [['Content-Type', 'application/json'], ['WWW-Authenticate', 'Bearer realm="a"'], ['WWW-Authenticate', 'ApiKey realm="a"']], body: '{"a":"é"}' }

const linesOf = (answer: string): readonly string[] => (answer.split('\r\n\r\n')[0] ?? '').split('\r\n')
const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4)

describe('writeReply', () => {
  const answered = async (reply: Reply, options?: Parameters<typeof writeReply>[2], request = GET): Promise<string> =>
    exchange(await listen({ request: (_request, response) => writeReply(response, reply, options) }), request)

  test('sends status, every field line by itself, and a length in bytes', async () => {
    const answer = await answered(REPLY)
    expect(linesOf(answer)).toEqual(expect.arrayContaining(['HTTP/1.1 401 Unauthorized', 'WWW-Authenticate: Bearer realm="a"', 'WWW-Authenticate: ApiKey realm="a"', 'Content-Length: 10']))
    expect(Buffer.from(bodyOf(answer), 'latin1').toString('utf8')).toBe(REPLY.body)
    expect(answer.toLowerCase()).not.toContain('transfer-encoding')
  })

  test('does not add a second length', async () => {
    const answer = await answered({ status: 200, headers: [['content-length', '2']], body: 'ok' })
    expect(answer.toLowerCase().match(/content-length/g)).toHaveLength(1)
  })

  test('answers HEAD with the length and without the body', async () => {
    const answer = await answered(REPLY, { head: true }, GET.replace('GET', 'HEAD'))
    expect(linesOf(answer)).toContain('Content-Length: 10')
    expect(bodyOf(answer)).toBe('')
  })

  test('a 204 has neither', async () => {
    const answer = await answered({ status: 204, headers: [['Vary', 'Origin']], body: '' })
    expect(linesOf(answer)).toEqual(expect.arrayContaining(['HTTP/1.1 204 No Content', 'Vary: Origin']))
    expect(answer.toLowerCase()).not.toContain('content-length')
  })

  test('can end a connection that would have been kept', async () => {
    const answer = await answered(REPLY, { close: true }, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(linesOf(answer)).toContain('Connection: close')
  })

  test('an answer that has begun is cut off, never continued by another', async () => {
    const port = await listen({ request: (_request, response) => {
      response.writeHead(200, ['Content-Length', '100'])
      response.write('begun', () => writeReply(response, REPLY))
    } })
    const answer = await exchange(port, GET)
    expect(linesOf(answer)[0]).toBe('HTTP/1.1 200 OK')
    expect(answer).not.toContain('401')
  })

  test('a client that is gone is not written to, and nothing is thrown', async () => {
    const outcome = await new Promise((resolve, reject) => {
      void listen({ request: (_request, response) => {
        response.on('close', () => {
          try {
            writeReply(response, REPLY)
            writeReply(response, REPLY)
            resolve(writeAnswerHead(response, 200, 'OK', []))
          } catch (error) {
            reject(error as Error)
          }
        })
      } }).then((port) => exchange(port, GET, (socket) => setImmediate(() => socket.destroy())))
    })
    expect(outcome).toBe(false)
  })

  test('a value that would end a line is refused', async () => {
    const caught = await new Promise((resolve) => {
      void listen({ request: (_request, response) => {
        try {
          writeReply(response, { status: 200, headers: [['X-A', 'b\r\nSet-Cookie: x']], body: '' })
        } catch (error) {
          resolve(error)
          response.destroy()
        }
      } }).then((port) => exchange(port, GET).catch(() => ''))
    })
    expect(caught).toMatchObject({ code: 'ERR_INVALID_CHAR' })
  })
})

describe('writeReplyToSocket', () => {
  test('sends a complete answer and hangs up', async () => {
    const answer = await exchange(await listen({ upgrade: (_request, socket) => writeReplyToSocket(socket, REPLY) }), UPGRADE)
    expect(linesOf(answer)).toEqual(expect.arrayContaining(['HTTP/1.1 401 Unauthorized', 'WWW-Authenticate: Bearer realm="a"', 'WWW-Authenticate: ApiKey realm="a"', 'Content-Length: 10', 'Connection: close']))
    expect(answer).toMatch(/\r\nDate: [A-Z][a-z]{2}, /)
    expect(Buffer.from(bodyOf(answer), 'latin1').toString('utf8')).toBe(REPLY.body)
  })

  test('a client that keeps sending still reads its answer', async () => {
    const bytesRead = Promise.withResolvers<number>()
    const port = await listen({ upgrade: (_request, socket) => {
      socket.on('close', () => bytesRead.resolve((socket as Socket).bytesRead))
      writeReplyToSocket(socket, REPLY)
    } })
    const answer = await exchange(port, UPGRADE + 'x'.repeat(500_000))
    expect(linesOf(answer)[0]).toBe('HTTP/1.1 401 Unauthorized')
    expect(await bytesRead.promise).toBeGreaterThan(500_000)
  })

  test('a client that is gone is not an error, neither before nor while writing', async () => {
    const closed = await new Promise((resolve, reject) => {
      void listen({ upgrade: (_request, socket) => {
        socket.on('close', () => {
          try {
            writeReplyToSocket(socket, REPLY)
            resolve(socket.destroyed)
          } catch (error) {
            reject(error as Error)
          }
        })
        writeReplyToSocket(socket, REPLY)
        socket.emit('error', new Error('reset'))
      } }).then((port) => exchange(port, UPGRADE, (socket) => socket.on('data', () => socket.resetAndDestroy())).catch(() => ''))
    })
    expect(closed).toBe(true)
  })

  test('a value that would end a line is refused', async () => {
    const caught = await new Promise((resolve) => {
      void listen({ upgrade: (_request, socket) => {
        try {
          writeReplyToSocket(socket, { status: 200, headers: [['X-A', 'b\r\nSet-Cookie: x']], body: '' })
        } catch (error) {
          resolve(error)
          socket.destroy()
        }
      } }).then((port) => exchange(port, UPGRADE).catch(() => ''))
    })
    expect(caught).toBeInstanceOf(TypeError)
  })
})

describe('relayed answers', () => {
  test.each([
    ['a reason phrase is passed on', 'Fine', 'HTTP/1.1 299 Fine'],
    ['one that cannot be written is replaced', 'a\u0007b', 'HTTP/1.1 299 '],
    ['none is needed', undefined, 'HTTP/1.1 299 '],
  ])('%s', async (_title, message, expected) => {
    const port = await listen({ request: (_request, response) => {
      writeAnswerHead(response, 299, message, ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Content-Length', '0'])
      response.end()
    } })
    const lines = linesOf(await exchange(port, GET))
    expect(lines[0]).toBe(expected)
    expect(lines).toEqual(expect.arrayContaining(['Set-Cookie: a=1', 'Set-Cookie: b=2']))
  })

  test.each([
    ['1.1', ['HTTP/1.1 103 Early Hints', 'Link: </a.css>; rel=preload']],
    ['1.0', ['HTTP/1.1 200 OK']],
  ])('an interim answer reaches a client of HTTP/%s as it may', async (version, expected) => {
    const port = await listen({ request: (_request, response) => {
      writeInformational(response, 103, ['Link', '</a.css>; rel=preload'])
      writeReply(response, { status: 200, headers: [], body: 'ok' })
      writeInformational(response, 103, ['Link', '</late.css>; rel=preload'])
    } })
    const answer = await exchange(port, GET.replace('HTTP/1.1', `HTTP/${version}`))
    expect(linesOf(answer).slice(0, expected.length)).toEqual(expected)
    expect(answer).toContain('HTTP/1.1 200 OK')
    expect(answer).not.toContain('late.css')
  })

  test('an interim answer has no length: who believes it reads the head of the answer as its body (RFC 9110 section 8.6)', async () => {
    const port = await listen({ request: (_request, response) => {
      writeInformational(response, 103, ['content-LENGTH', '9', 'Link', '</a.css>'])
      writeReply(response, { status: 200, headers: [], body: 'ok' })
    } })
    expect(linesOf(await exchange(port, GET))).toEqual(['HTTP/1.1 103 Early Hints', 'Link: </a.css>'])
  })
})
