// Callers of ext_authz over gRPC that leave, stall or never begin: none may end the process or take the room of the others (T51, T52).
import { connect, type ClientHttp2Session } from 'node:http2'
import { afterAll, expect, it, onTestFinished, vi } from 'vitest'
import { createGrpcAuthorization } from '../../src/faces/forward-auth/grpc.ts'
import { startAttacked } from './attacked.ts'
import { SILENT } from '../../src/model/event.ts'

const attacked = await startAttacked({
  version: 1, listen: '127.0.0.1:0', ops: 'off', client_ip: { direct: true }, upstream: 'http://127.0.0.1:1', forward_auth: { secret: 'a-secret-of-the-callers' },
  authenticators: { key: { type: 'api_key', keys: [{ id: 'k', value: 'some-key-of-a-client' }] } },
})
const grpc = createGrpcAuthorization({ gateway: () => attacked.compiled.gateway, observer: SILENT, clock: Date.now, address: { host: '127.0.0.1', port: 0 }, maxHeaders: 100, maxInFlight: 100, messageTimeoutMs: 300 })
const address = await grpc.listen()
afterAll(async () => {
  await grpc.drain(100)
  await attacked.close()
})

/** A stranger, without the secret, with calls that are begun and not ended. */
function stranger(count: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${'port' in address ? address.port : 0}`)
  session.on('error', () => undefined)
  for (let nth = 0; nth < count; nth += 1) {
    const stream = session.request({ ':method': 'POST', ':path': '/envoy.service.auth.v3.Authorization/Check', 'content-type': 'application/grpc' }, { endStream: false })
    stream.on('error', () => undefined)
    stream.write(Buffer.alloc(3))
  }
  onTestFinished(() => session.destroy())
  return session
}

it.each([
  ['hangs up', (session: ClientHttp2Session) => session.socket.resetAndDestroy()],
  ['ends its session', (session: ClientHttp2Session) => session.destroy()],
] as const)('a stranger that %s within its calls ends nothing but them', async (_title, leave) => {
  const faults: unknown[] = []
  const note = (error: unknown): void => void faults.push(error)
  process.prependListener('uncaughtException', note)
  onTestFinished(() => void process.off('uncaughtException', note))
  const session = stranger(20)
  await vi.waitFor(() => expect(grpc.inFlight()).toBe(20))
  leave(session)
  await vi.waitFor(() => expect(grpc.inFlight()).toBe(0))
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(faults).toEqual([])
})

it('calls that never say what they ask give their room back', async () => {
  stranger(150)
  await vi.waitFor(() => expect(grpc.inFlight()).toBe(150))
  await vi.waitFor(() => expect(grpc.inFlight()).toBe(0), { timeout: 3_000 })
})
