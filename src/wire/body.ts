import type { Denial } from '../model/denial.ts'
import { duplicateMember } from './json-members.ts'

/** A body that was read and understood. `value` is undefined for media types that are passed on unread. */
export interface ParsedBody {
  readonly value: unknown
}

/** Nesting that no honest login or chat needs, and that recursive parsers behind us may not survive. */
const MAX_DEPTH = 32

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const rejected = (detail: string): Denial => ({ kind: 'denial', code: 'body_rejected', detail })

/** The media type of a `Content-Type` value: lower-case, without parameters; undefined when there is none. */
export function mediaTypeOf(contentType: string | undefined): string | undefined {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase()
  return type === undefined || type === '' ? undefined : type
}

/** Whether a body of this type is read as UTF-8 by everybody. Another charset would make the upstream read other characters than we judge. */
function speaksUtf8(contentType: string): boolean {
  const charsets = [...contentType.matchAll(/;\s*charset\s*=\s*(?:"([^"]*)"|([^;\s]*))/gi)].map((match) => (match[1] ?? match[2] ?? '').toLowerCase())
  return charsets.every((charset) => charset === 'utf-8' || charset === 'utf8')
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** An object without a prototype has the members that were sent and no others: neither `__proto__` nor `constructor` mean anything. */
function withoutPrototype(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.assign(Object.create(null) as object, value)
}

function parseJson(text: string): ParsedBody | Denial {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return rejected('the body is not JSON')
  }
  const found = duplicateMember(text, MAX_DEPTH)
  if (found === 'too deep') return rejected(`the body is nested deeper than ${MAX_DEPTH} levels`)
  // Which of two equal names counts is up to each parser (RFC 8259 section 4): the upstream could act on the one that was not judged.
  if (found === 'duplicate') return rejected('a member stands twice in the same object of the body')
  // Only now, since a reviver recurses: the depth is bounded.
  return { value: typeof value === 'object' ? JSON.parse(text, withoutPrototype) : value }
}

/** Percent-decoding of application/x-www-form-urlencoded; undefined where it is not well-formed UTF-8. */
function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

function parseForm(text: string): ParsedBody | Denial {
  const value = Object.create(null) as Record<string, string>
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decoded(equals < 0 ? pair : pair.slice(0, equals))
    const content = decoded(equals < 0 ? '' : pair.slice(equals + 1))
    if (name === undefined || content === undefined) return rejected('a form field is not percent-encoded UTF-8')
    if (Object.hasOwn(value, name)) return rejected('a form field stands twice in the body')
    value[name] = content
  }
  return { value }
}

/**
 * Reads a bounded body as the upstream will. What two parsers could read in two ways is refused: repeated names, broken
 * UTF-8, a byte order mark, foreign charsets. JSON gives its value, a form an object of strings, both without prototypes;
 * every other type, and an empty body, gives undefined.
 *
 * @param contentType the one `Content-Type` of the request
 */
export function parseBody(bytes: Uint8Array, contentType: string | undefined): ParsedBody | Denial {
  const type = mediaTypeOf(contentType)
  const isJson = type === 'application/json' || (type?.startsWith('application/') === true && type.endsWith('+json'))
  if (bytes.length === 0 || contentType === undefined || (!isJson && type !== 'application/x-www-form-urlencoded')) return { value: undefined }
  if (!speaksUtf8(contentType)) return rejected('the body is not declared as UTF-8')
  const text = textOf(bytes)
  if (text === undefined) return rejected('the body is not UTF-8')
  return isJson ? parseJson(text) : parseForm(text)
}
