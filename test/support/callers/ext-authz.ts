import { connect } from 'node:http2'

/** Envoy's side of ext_authz over gRPC, with an encoder of its own: what both sides agree on is the published numbers and nothing else. */

type Part = readonly [number: number, value: string | Buffer | number]

const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)])

/** A message of these fields. */
export const message = (...parts: readonly Part[]): Buffer =>
  Buffer.concat(parts.map(([number, value]) => {
    if (typeof value === 'number') return Buffer.from([...varint(number << 3), ...varint(value)])
    const bytes = Buffer.from(value)
    return Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(bytes.length)]), bytes])
  }))

/** Fields of a message by number: numbers as numbers, everything else as bytes. */
export function read(bytes: Buffer): Map<number, (number | Buffer)[]> {
  const fields = new Map<number, (number | Buffer)[]>()
  let at = 0
  const next = (): number => {
    let [value, shift, byte] = [0, 0, 0]
    do {
      byte = bytes[at++]!
      value |= (byte & 127) << shift
      shift += 7
    } while (byte > 127)
    return value
  }
  while (at < bytes.length) {
    const tag = next()
    const value = (tag & 7) === 0 ? next() : undefined
    const length = value === undefined ? next() : 0
    fields.set(tag >>> 3, [...(fields.get(tag >>> 3) ?? []), value ?? bytes.subarray(at, (at += length))])
  }
  return fields
}

export interface Asked {
  readonly method?: string
  readonly path?: string
  readonly host?: string
  readonly scheme?: string
  readonly headers?: readonly (readonly [string, string])[]
  /** Without `encode_raw_headers`: one text per name. */
  readonly joined?: boolean
  /** `context_extensions` of the filter. */
  readonly context?: Readonly<Record<string, string>>
}

/** A CheckRequest about a request from one client. */
export const checkRequest = ({ headers = [], ...asked }: Asked): Buffer => plainCheckRequest({ ...asked, headers: [['x-forwarded-for', '203.0.113.7'], ...headers] })

/** A CheckRequest as Envoy writes it, with these headers and no others. */
export function plainCheckRequest({ method = 'GET', path = '/open/x', host = 'api.example', scheme = 'https', headers = [], joined = false, context = { route: 'api' } }: Asked): Buffer {
  const all = [[':method', method], [':path', path], [':authority', host], ...headers] as const
  const lines: Part[] = joined
    ? [...new Map(all.map(([name]) => [name, all.filter(([other]) => other === name).map(([, value]) => value).join(',')]))].map(([name, value]) => [3, message([1, name], [2, value])])
    : [[13, message(...all.map(([name, value]): Part => [1, message([1, name], [3, Buffer.from(value, 'latin1')])]))]]
  const http = message([1, 'an-id'], [2, method], ...lines, [4, path], [5, host], [6, scheme], [9, 0], [10, 'HTTP/1.1'])
  const peer = message([1, message([1, message([2, '203.0.113.7'], [3, 4_711])])])
  return message([1, message([1, peer], [4, message([1, message([1, 1_764_000_000])], [2, http])], ...Object.entries(context).map(([key, value]): Part => [10, message([1, key], [2, value])]))])
}

export interface CheckResponse {
  readonly grpcStatus: string | undefined
  readonly code: number
  /** Undefined when it lets pass. */
  readonly denied?: { readonly status: number; readonly headers: readonly (readonly [name: string, value: string, append: boolean])[]; readonly body: string }
  readonly set: Readonly<Record<string, string>>
  readonly remove: readonly string[]
  readonly toClient: Readonly<Record<string, string>>
}

const text = (value: number | Buffer | undefined): string => (Buffer.isBuffer(value) ? value.toString() : '')
const bytesOf = (value: number | Buffer | undefined): Buffer => (Buffer.isBuffer(value) ? value : Buffer.alloc(0))

const optionsOf = (values: readonly (number | Buffer)[] | undefined): (readonly [string, string, boolean])[] =>
  (values ?? []).map((value) => {
    const option = read(bytesOf(value))
    const header = read(bytesOf(option.get(1)?.[0]))
    return [text(header.get(1)?.[0]), text(header.get(2)?.[0]), option.has(2)]
  })

function responseOf(body: Buffer, grpcStatus: string | undefined): CheckResponse {
  const response = read(body)
  const [denied, ok] = [response.get(2)?.[0], response.get(3)?.[0]]
  const passed = read(bytesOf(ok))
  const refused = denied === undefined ? undefined : read(bytesOf(denied))
  const named = (values: readonly (number | Buffer)[] | undefined) => Object.fromEntries(optionsOf(values).map(([name, value]) => [name, value]))
  return {
    grpcStatus,
    code: (read(bytesOf(response.get(1)?.[0])).get(1)?.[0] as number | undefined) ?? 0,
    ...(refused && { denied: { status: read(bytesOf(refused.get(1)?.[0])).get(1)?.[0] as number, headers: optionsOf(refused.get(2)), body: text(refused.get(3)?.[0]) } }),
    set: named(passed.get(2)), remove: (passed.get(5) ?? []).map(text), toClient: named(passed.get(6)),
  }
}

export interface CallOptions {
  readonly localAddress?: string
  readonly path?: string
  readonly metadata?: Readonly<Record<string, string | string[]>>
  readonly contentType?: string
  /** Instead of a message with its prefix. */
  readonly raw?: Buffer
  /** Over TLS, for this name of the server. */
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string; readonly servername?: string }
}

/** One call on a connection of its own. Rejects when the connection is refused. */
export function call(port: number, request: Buffer, { localAddress, path = '/envoy.service.auth.v3.Authorization/Check', metadata = {}, contentType = 'application/grpc', raw, tls }: CallOptions = {}): Promise<CheckResponse> {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(request.length, 1)
  return new Promise((resolve, reject) => {
    const session = connect(`http${tls ? 's' : ''}://127.0.0.1:${port}`, { ...(localAddress !== undefined && { localAddress }), ...tls } as object)
    session.once('error', reject)
    session.once('close', () => reject(new Error('the connection was closed')))
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': contentType, te: 'trailers', ...metadata })
    const chunks: Buffer[] = []
    let status: string | undefined
    stream.on('response', (headers) => (status = headers['grpc-status'] as string | undefined))
    stream.on('trailers', (trailers) => (status = trailers['grpc-status'] as string | undefined))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('error', reject)
    stream.once('close', () => {
      const body = Buffer.concat(chunks)
      if (status === undefined) reject(new Error('no answer'))
      resolve(responseOf(body.subarray(5), status))
      session.destroy()
    })
    stream.end(raw ?? Buffer.concat([prefix, request]))
  })
}
