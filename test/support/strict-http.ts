/**
 * An HTTP/1.1 reader for tests, written against RFC 9112 alone and sharing nothing with the product or with Node's parser: what it
 * counts is what a careful upstream would count. It repairs nothing; the first doubt is a violation.
 */

export type HeaderLine = readonly [name: string, value: string]

/** What was read so far: not enough, something no careful peer accepts, or a whole part and where it ended. */
export type Read<T> = { readonly kind: 'incomplete' } | { readonly kind: 'violation'; readonly reason: string } | { readonly kind: 'read'; readonly value: T; readonly end: number }

const INCOMPLETE = { kind: 'incomplete' } as const
const violation = (reason: string) => ({ kind: 'violation', reason }) as const
const read = <T>(value: T, end: number): Read<T> => ({ kind: 'read', value, end })

const CR = 0x0d, LF = 0x0a
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** One line without its CRLF. A bare CR or LF ends nothing. */
function readLine(bytes: Buffer, start: number): Read<string> {
  for (let index = start; index < bytes.length; index += 1) {
    if (bytes[index] === LF) return violation('a bare LF')
    if (bytes[index] !== CR) continue
    if (index + 1 === bytes.length) return INCOMPLETE
    return bytes[index + 1] === LF ? read(bytes.toString('latin1', start, index), index + 2) : violation('a bare CR')
  }
  return bytes.length - start > 65_536 ? violation('an endless line') : INCOMPLETE
}

export interface Head { readonly start: string; readonly headers: readonly HeaderLine[] }

function headerLineOf(line: string): HeaderLine | string {
  const colon = line.indexOf(':')
  const name = line.slice(0, colon)
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')
  if (colon < 1 || !TOKEN.test(name)) return `a header line without a name: ${JSON.stringify(line)}`
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value) ? [name, value] : `a control character in ${name}`
}

/** Header lines up to and with the empty one. */
function readFields(bytes: Buffer, start: number): Read<HeaderLine[]> {
  const fields: HeaderLine[] = []
  for (let position = start; ; ) {
    const line = readLine(bytes, position)
    if (line.kind !== 'read') return line
    position = line.end
    if (line.value === '') return read(fields, position)
    const field = headerLineOf(line.value)
    if (typeof field === 'string') return violation(field)
    fields.push(field)
  }
}

/** The first line and the header lines. */
export function readHead(bytes: Buffer, start: number): Read<Head> {
  const line = readLine(bytes, start)
  if (line.kind !== 'read') return line
  const fields = readFields(bytes, line.end)
  return fields.kind === 'read' ? read({ start: line.value, headers: fields.value }, fields.end) : fields
}

/** All values of a field, by name in any case. */
export const valuesOf = (headers: readonly HeaderLine[], name: string): string[] => headers.filter(([candidate]) => candidate.toLowerCase() === name.toLowerCase()).map(([, value]) => value)

export interface Body { readonly bytes: Buffer; readonly trailers: readonly HeaderLine[] }

/** Chunks without extensions, then the trailer section. */
function readChunks(bytes: Buffer, start: number): Read<Body> {
  const chunks: Buffer[] = []
  for (let position = start; ; ) {
    const line = readLine(bytes, position)
    if (line.kind !== 'read') return line
    if (!/^[0-9A-Fa-f]{1,8}$/.test(line.value)) return violation(`a chunk size ${JSON.stringify(line.value)}`)
    const size = Number.parseInt(line.value, 16)
    if (size === 0) {
      const trailers = readFields(bytes, line.end)
      return trailers.kind === 'read' ? read({ bytes: Buffer.concat(chunks), trailers: trailers.value }, trailers.end) : trailers
    }
    const end = line.end + size
    if (bytes.length < end + 2) return INCOMPLETE
    if (bytes[end] !== CR || bytes[end + 1] !== LF) return violation('a chunk that does not end where it said')
    chunks.push(bytes.subarray(line.end, end))
    position = end + 2
  }
}

/** The body that the header lines announce. `undefined` when they announce none; then a request has none. */
export function readBody(bytes: Buffer, start: number, headers: readonly HeaderLine[]): Read<Body | undefined> {
  const lengths = valuesOf(headers, 'content-length')
  const codings = valuesOf(headers, 'transfer-encoding')
  if (lengths.length + codings.length === 0) return read(undefined, start)
  if (lengths.length + codings.length > 1) return violation('more than one framing field')
  if (codings.length === 1) return codings[0] === 'chunked' ? readChunks(bytes, start) : violation(`a transfer coding ${JSON.stringify(codings[0])}`)
  if (!/^\d{1,15}$/.test(lengths[0]!)) return violation(`a content length ${JSON.stringify(lengths[0])}`)
  const end = start + Number(lengths[0])
  return bytes.length < end ? INCOMPLETE : read({ bytes: bytes.subarray(start, end), trailers: [] }, end)
}
