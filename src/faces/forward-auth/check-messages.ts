import type { Reply } from '../../model/decision.ts'
import type { Passage } from './dialect.ts'
import { bytesField, bytesIn, type Field, fieldsOf, numberField, WireFormatError } from './protobuf.ts'

/** Messages of `envoy.service.auth.v3`; the numbers are those of external_auth.proto and attribute_context.proto. */

/** The part of a CheckRequest that is looked at. */
export interface CheckRequest {
  readonly method: string
  /** Raw, with the query. */
  readonly path: string
  readonly host: string
  readonly scheme: string
  /** Flat, names lower-case: every field line with `encode_raw_headers`, else one per name. Pseudo headers are left out. */
  readonly rawHeaders: readonly string[]
  /** What the config of the caller says beside the request (`context_extensions`): never the client's word. */
  readonly context: readonly (readonly [string, string])[]
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Texts of protocol buffers are UTF-8; anything else is no message. */
function textOf(bytes: Uint8Array | undefined): string {
  try {
    return bytes === undefined ? '' : utf8.decode(bytes)
  } catch {
    throw new WireFormatError('a text that is not UTF-8')
  }
}

const inner = (fields: readonly Field[], number: number): readonly Field[] => fieldsOf(bytesIn(fields, number) ?? new Uint8Array())

/** A `map<string, string>`: an entry is a message of key and value. */
const mapped = (fields: readonly Field[], map: number): readonly (readonly [string, string])[] =>
  fields.filter(({ number }) => number === map).map(({ bytes }) => {
    const entry = fieldsOf(bytes)
    return [textOf(bytesIn(entry, 1)), textOf(bytesIn(entry, 2))]
  })

/** `HeaderMap header_map`: values as bytes, one character each as everywhere else here, since a header need not be UTF-8. */
const raw = (http: readonly Field[]): readonly (readonly [string, string])[] =>
  inner(http, 13).filter(({ number }) => number === 1).map(({ bytes }) => {
    const value = fieldsOf(bytes)
    return [textOf(bytesIn(value, 1)), Buffer.from(bytesIn(value, 3) ?? bytesIn(value, 2) ?? []).toString('latin1')]
  })

/**
 * Reads a CheckRequest. Values that are not sent are empty, and are refused by whoever needs them.
 *
 * @throws {WireFormatError} for bytes that are no message
 */
export function decodeCheckRequest(bytes: Uint8Array): CheckRequest {
  const attributes = inner(fieldsOf(bytes), 1)
  const http = inner(inner(attributes, 4), 2)
  const lines = [...raw(http), ...mapped(http, 3)].filter(([name]) => !name.startsWith(':'))
  const of = (number: number): string => textOf(bytesIn(http, number))
  return { method: of(2), path: of(4), host: of(5), scheme: of(6), rawHeaders: lines.flat(), context: mapped(attributes, 10) }
}

type Fields = readonly (readonly [name: string, value: string])[]

/** HeaderValueOption: the first of a name overwrites, further ones are appended. */
function options(number: number, fields: Fields): readonly Buffer[] {
  const seen = new Set<string>()
  return fields.map(([name, value]) => {
    const lower = name.toLowerCase()
    const again = seen.has(lower)
    seen.add(lower)
    const header = Buffer.concat([bytesField(1, lower), bytesField(2, value)])
    return bytesField(number, Buffer.concat([bytesField(1, header), ...(again ? [bytesField(2, numberField(1, 1))] : [])]))
  })
}

const OK = 0, PERMISSION_DENIED = 7, UNAUTHENTICATED = 16

const status = (code: number): Buffer => bytesField(1, numberField(1, code))

/** A header without a value is one to remove: Envoy passes over empty values. */
export function encodePassage({ fields, credentials, client, remove }: Passage): Buffer {
  const all = [...fields, ...credentials]
  const set = all.filter(([, value]) => value !== '')
  const gone = new Set([...all.filter(([, value]) => value === '').map(([name]) => name.toLowerCase()), ...remove.filter((name) => !set.some(([other]) => other.toLowerCase() === name))])
  const ok = Buffer.concat([...options(2, set), ...[...gone].map((name) => bytesField(5, name)), ...options(6, client)])
  return Buffer.concat([status(OK), bytesField(3, ok)])
}

/** What Envoy writes itself. */
const FRAMING: ReadonlySet<string> = new Set(['content-length', 'connection', 'transfer-encoding'])

/** A complete answer for the client, whatever its status: to Envoy all of them are denials. */
export function encodeReply(reply: Reply): Buffer {
  const headers = reply.headers.filter(([name]) => !FRAMING.has(name.toLowerCase()))
  const denied = Buffer.concat([bytesField(1, numberField(1, reply.status)), ...options(2, headers), bytesField(3, reply.body)])
  return Buffer.concat([status(reply.status === 401 ? UNAUTHENTICATED : PERMISSION_DENIED), bytesField(2, denied)])
}
