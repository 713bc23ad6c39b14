import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { upstream } from '../../../test/support/gateway.ts'
import { headerLines } from '../../wire/header-lines.ts'
import { createConnection } from './connection.ts'
import type { AnswerControl, UpstreamConnection } from './engine.ts'

interface Asked { readonly control: AnswerControl; readonly body: Promise<string> }

/** Asks with the promise settled within `ended`, where the writer of an answer does its last things. */
function ask(connection: UpstreamConnection, path: string, atEnd: (control: AnswerControl) => void = () => undefined): Asked {
  let held: AnswerControl | undefined
  let text = ''
  const body = new Promise<string>((resolve, reject) => connection.dispatch({ method: 'GET', path, headers: headerLines(['Host', 'a']), reset: false }, {
    started: (control) => {
      held = control
      connection.carry()
    },
    answered: () => undefined,
    head: () => undefined,
    data: (chunk) => void (text += chunk.toString()),
    ended: () => {
      if (held) atEnd(held)
      resolve(text)
    },
    failed: reject,
  }))
  const control: AnswerControl = { abort: (reason) => held?.abort(reason), pause: () => held?.pause(), resume: () => held?.resume() }
  return { control, body }
}

describe.each(['direct', 'undici'] as const)('the hold on an exchange, on the %s engine', (engine) => {
  let server: Server
  let sockets = 0
  let answer: (path: string) => string | Promise<string>
  const settings = () => upstream((server.address() as AddressInfo).port, { engine, firstByteTimeoutMs: 1_000 })

  beforeAll(async () => {
    server = createServer((request, response) => void Promise.resolve(answer(request.url ?? '')).then((text) => response.end(text)))
    server.on('connection', () => (sockets += 1)).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(() => server.close())

  it.each<[string, (control: AnswerControl) => void]>([
    ['pauses', (control) => control.pause()],
    ['aborts', (control) => control.abort(new Error('too late'))],
  ])('whoever %s an answer that is over does nothing to the next one', async (_title, late) => {
    sockets = 0
    answer = (path) => path
    const connection = createConnection(settings())
    expect(await ask(connection, '/first', late).body).toBe('/first')
    expect(await ask(connection, '/second').body).toBe('/second')
    expect(sockets).toBe(1)
    await connection.destroy()
  })

  it('does nothing to the one that is under way on the same socket', async () => {
    sockets = 0
    let go = (): void => undefined
    let came = (): void => undefined
    answer = (path) => path
    const connection = createConnection(settings())
    const first = ask(connection, '/first')
    await first.body
    const asked = new Promise<void>((resolve) => (came = resolve))
    answer = (path) => {
      came()
      return new Promise((resolve) => (go = () => resolve(path)))
    }
    const second = ask(connection, '/second')
    await asked
    first.control.pause()
    first.control.abort(new Error('too late'))
    go()
    expect(await second.body).toBe('/second')
    expect(sockets).toBe(1)
    await connection.destroy()
  })
})
