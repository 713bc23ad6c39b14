import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { startEchoUpstream } from '../support/echo-upstream.ts'
import { startProxy, upstream } from '../support/gateway.ts'
import { closeAfterEach } from '../support/opened.ts'

const opened = closeAfterEach()

const ROUNDS = 80
/** Leave at once each, after so many bytes of the answer; in a thread of their own, so that their resets come in the midst of our writes. */
const LEAVERS = `
  const { connect } = require('node:net')
  const { parentPort, workerData: port } = require('node:worker_threads')
  const leave = (most) => new Promise((resolve) => {
    let heard = 0
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'))
    socket.on('data', ({ length }) => (heard += length) > most && socket.resetAndDestroy())
    socket.on('error', () => undefined).on('close', resolve)
  })
  parentPort.on('message', async () => {
    await Promise.all(Array.from({ length: 8 }, (_, n) => leave(n * 20_000)))
    parentPort.postMessage('gone')
  })`

describe('clients that reset their connection within an answer', () => {
  it('cost nobody else an answer: no connection to the upstream is left paused', async () => {
    const body = Buffer.alloc(256 * 1_024, 'x')
    const up = opened(await startEchoUpstream({ answer: (_incoming, response) => void response.end(body) }))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port, { firstByteTimeoutMs: 500 })] }))
    const leavers = new Worker(LEAVERS, { eval: true, workerData: proxy.port })
    opened({ close: async () => void (await leavers.terminate()) })
    const statuses = new Set<number>()
    for (let round = 0; round < ROUNDS; round += 1) {
      const gone = once(leavers, 'message')
      leavers.postMessage('leave', [])
      await gone
      const answers = await Promise.all(Array.from({ length: 8 }, () => fetch(proxy.url)))
      for (const answer of answers) {
        statuses.add(answer.status)
        await answer.arrayBuffer()
      }
    }
    expect([...statuses]).toEqual([200])
  }, 60_000)
})
