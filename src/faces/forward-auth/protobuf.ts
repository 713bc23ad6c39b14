/** The part of the protocol buffer wire format that authorization messages need: varints, and everything that has a length. */

/** A message that is not one. */
export class WireFormatError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'WireFormatError'
  }
}

/** A field as it stands in a message. */
export interface Field {
  readonly number: number
  /** Of a varint; 0 for others. */
  readonly value: number
  /** Of a field with a length; empty for others. */
  readonly bytes: Uint8Array
}

const VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5

/** Reads a varint; values beyond 2^53 lose their lowest bits, and nothing that is read here is that large. */
function varint(bytes: Uint8Array, start: number): readonly [value: number, end: number] {
  let value = 0
  for (let index = start, factor = 1; index < bytes.length && index < start + 10; index += 1, factor *= 128) {
    const byte = bytes[index] ?? 0
    value += (byte & 127) * factor
    if (byte < 128) return [value, index + 1]
  }
  throw new WireFormatError('a number without an end')
}

function sized(bytes: Uint8Array, start: number, length: number): Uint8Array {
  if (start + length > bytes.length) throw new WireFormatError('a field that is longer than its message')
  return bytes.subarray(start, start + length)
}

/**
 * Every field of a message, in order.
 *
 * @throws {WireFormatError} for bytes that are no message
 */
export function fieldsOf(bytes: Uint8Array): readonly Field[] {
  const fields: Field[] = []
  let position = 0
  while (position < bytes.length) {
    const [tag, afterTag] = varint(bytes, position)
    const [number, type] = [Math.floor(tag / 8), tag % 8]
    if (number === 0) throw new WireFormatError('field number 0')
    if (type === VARINT) {
      const [value, end] = varint(bytes, afterTag)
      fields.push({ number, value, bytes: new Uint8Array() })
      position = end
    } else {
      if (type !== LENGTH && type !== FIXED64 && type !== FIXED32) throw new WireFormatError(`wire type ${type}`)
      const [length, start] = type === LENGTH ? varint(bytes, afterTag) : [type === FIXED64 ? 8 : 4, afterTag]
      fields.push({ number, value: 0, bytes: sized(bytes, start, length) })
      position = start + length
    }
  }
  return fields
}

/** Bytes of the last field of this number, or undefined: of a singular field that stands twice, the last counts. */
export const bytesIn = (fields: readonly Field[], number: number): Uint8Array | undefined => fields.findLast((field) => field.number === number)?.bytes

function encodedVarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}

/** A varint field; nothing for 0, which is the default. */
export const numberField = (number: number, value: number): Buffer => (value === 0 ? Buffer.alloc(0) : Buffer.concat([encodedVarint(number * 8), encodedVarint(value)]))

/** A field of bytes: a text, or a message that was put together before. */
export function bytesField(number: number, value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([encodedVarint(number * 8 + LENGTH), encodedVarint(bytes.length), bytes])
}
