import { connect, type ClientHttp2Session } from 'node:http2'
import { plainCheckRequest, read } from '../test/support/callers/ext-authz.ts'
import type { LoadResult } from './load.ts'

const PATH = '/envoy.service.auth.v3.Authorization/Check'

/** A message with the prefix that gRPC puts in front. */
function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

/** One check; rejects when it is not let pass. */
function check(session: ClientHttp2Session, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc', te: 'trailers' })
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('error', reject)
    stream.once('end', () => {
      // Field 3 of a CheckResponse is the OK answer, field 2 the refusal.
      if (read(Buffer.concat(chunks).subarray(5)).has(3)) resolve()
      else reject(new Error('a check was refused'))
    })
    stream.end(body)
  })
}

/**
 * Asks as Envoy does: one HTTP/2 connection, 32 checks on it at a time.
 *
 * @throws when a check is refused
 */
export async function runChecks(token: string, port: number, requests: number, streams = 32): Promise<LoadResult> {
  const body = framed(plainCheckRequest({ path: '/api/orders/1', scheme: 'http', headers: [['x-forwarded-for', '203.0.113.7'], ['accept', 'application/json'], ['user-agent', 'bench'], ['authorization', `Bearer ${token}`]] }))
  const session = connect(`http://127.0.0.1:${port}`)
  const latencies = new Float64Array(requests)
  let [sent, done] = [0, 0]
  const start = performance.now()
  const worker = async (): Promise<void> => {
    while (sent++ < requests) {
      const at = performance.now()
      await check(session, body)
      latencies[done++] = performance.now() - at
    }
  }
  try {
    await Promise.race([new Promise((_resolve, reject) => session.once('error', reject)), Promise.all(Array.from({ length: streams }, worker))])
    return { seconds: (performance.now() - start) / 1_000, latencies: latencies.sort() }
  } finally {
    session.destroy()
  }
}
