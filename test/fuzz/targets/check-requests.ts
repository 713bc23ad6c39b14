import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { type CheckRequest, decodeCheckRequest } from '../../../src/faces/forward-auth/check-messages.ts'
import { bytesField, numberField, WireFormatError } from '../../../src/faces/forward-auth/protobuf.ts'
import { fuzzTarget } from '../fuzz-target.ts'

interface Message { readonly method: string; readonly path: string; readonly host: string; readonly scheme: string; readonly headers: readonly (readonly [string, string])[]; readonly noise: readonly number[] }

type Input = { readonly message: Message; readonly edits: readonly (readonly [place: number, byte: number, what: 'set' | 'drop' | 'add' | 'cut'])[] }

/** As Envoy writes it (external_auth.proto), with fields that nobody asked for in between. */
function encoded({ method, path, host, scheme, headers, noise }: Message): Buffer {
  const other = (index: number): Buffer => ((noise[index] ?? 0) % 3 === 0 ? Buffer.alloc(0) : (noise[index] ?? 0) % 3 === 1 ? numberField(900 + index, noise[index] ?? 0) : bytesField(700 + index, 'noise'))
  const lines = headers.map(([name, value]) => bytesField(1, Buffer.concat([bytesField(1, name), bytesField(3, Buffer.from(value, 'latin1'))])))
  const http = Buffer.concat([other(0), bytesField(1, 'id'), bytesField(2, method), other(1), bytesField(4, path), bytesField(5, host), bytesField(6, scheme), other(2), bytesField(13, Buffer.concat(lines))])
  return bytesField(1, Buffer.concat([other(3), bytesField(4, Buffer.concat([other(4), bytesField(2, http)]))]))
}

function decoded(bytes: Buffer): CheckRequest | undefined {
  try {
    return decodeCheckRequest(bytes)
  } catch (error) {
    assert.ok(error instanceof WireFormatError, String(error))
    return undefined
  }
}

function check({ message, edits }: Input): string {
  const whole = encoded(message)
  const wanted = { method: message.method, path: message.path, host: message.host, scheme: message.scheme, rawHeaders: message.headers.filter(([name]) => !name.startsWith(':')).flat() }
  const { method, path, host, scheme, rawHeaders } = decoded(whole) ?? { rawHeaders: [] }
  assert.deepEqual({ method, path, host, scheme, rawHeaders }, wanted)
  if (edits.length === 0) return 'read'
  const changed = edits.reduce((bytes, [place, byte, what]) => {
    const at = place % (bytes.length + 1)
    const [before, behind] = [bytes.subarray(0, at), bytes.subarray(what === 'add' ? at : at + 1)]
    return what === 'cut' ? before : Buffer.concat([before, what === 'drop' ? Buffer.alloc(0) : Buffer.from([byte]), behind])
  }, whole)
  const read = decoded(changed)
  if (!read) return 'refused'
  // Texts are slices of the message: nothing is made up.
  for (const text of [read.method, read.path, read.host, read.scheme]) assert.ok(changed.includes(Buffer.from(text)))
  for (const text of read.rawHeaders) assert.ok(changed.includes(Buffer.from(text)) || changed.includes(Buffer.from(text, 'latin1')))
  return 'read, changed'
}

const text = fc.constantFrom('', 'GET', '/public/x', '/ä', 'api.test', 'https', 'a'.repeat(200), '\0', '😀')
const message = fc.record({ method: text, path: text, host: text, scheme: text, headers: fc.array(fc.tuple(fc.constantFrom('x-user-id', 'authorization', ':path', 'cookie', 'é'), fc.constantFrom('root', '', 'Bearer x', '\xff\xfe', 'b'.repeat(130))), { maxLength: 4 }), noise: fc.array(fc.nat(300), { maxLength: 5 }) })

export const checkRequests = fuzzTarget<Input>({
  name: 'check-requests',
  subject: 'protocol buffers in which Envoy asks over gRPC, with unknown fields, and with bytes changed, lost and added',
  oracle: 'what an encoder wrote is read as it was; else a `WireFormatError`, or texts that stand in the message',
  where: 'in process',
  verdicts: ['read', 'read, changed', 'refused'],
  batch: 50_000,
  weight: 8,
  open: () => ({ inputs: fc.record({ message, edits: fc.array(fc.tuple(fc.nat(1_023), fc.nat(255), fc.constantFrom('set', 'drop', 'add', 'cut')), { maxLength: 3 }) }), check }),
})
