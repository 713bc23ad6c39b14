/** A JSON value with its placeholders filled in; made once, used per answer. */
type Template = (values: Readonly<Record<string, unknown>>) => unknown

/** Where in the JSON something is wrong: keys and indexes from its root. */
export class TemplateError extends Error {
  readonly path: readonly (string | number)[]
  constructor(path: readonly (string | number)[], message: string) {
    super(message)
    this.name = 'TemplateError'
    this.path = path
  }
}

const PLACEHOLDER = /\{\{\s*([^{}]*?)\s*\}\}/g

/** One end of a placeholder without the other. */
const HALF = /\{\{|\}\}/

const notClosed = (text: string, path: readonly (string | number)[]): TemplateError => new TemplateError(path, `${JSON.stringify(text)} – a placeholder is not closed`)

/** What became of a placeholder without a value: the member that holds it is left out. */
const ABSENT = Symbol('absent')

type Piece = string | { readonly name: string }

function piecesOf(text: string, allowed: readonly string[], path: readonly (string | number)[]): Piece[] {
  const pieces: Piece[] = []
  let end = 0
  for (const match of text.matchAll(PLACEHOLDER)) {
    const name = match[1] ?? ''
    if (!allowed.includes(name)) throw new TemplateError(path, `${JSON.stringify(match[0])} – expected one of ${allowed.map((each) => `{{${each}}}`).join(', ')}`)
    const before = text.slice(end, match.index)
    if (HALF.test(before)) throw notClosed(text, path)
    if (before !== '') pieces.push(before)
    pieces.push({ name })
    end = match.index + match[0].length
  }
  const rest = text.slice(end)
  if (HALF.test(rest)) throw notClosed(text, path)
  if (rest !== '' || pieces.length === 0) pieces.push(rest)
  return pieces
}

const own = (values: Readonly<Record<string, unknown>>, name: string): unknown => (Object.hasOwn(values, name) ? values[name] : undefined)

const shown = (value: unknown): string => (value === undefined || value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value))

function compileText(text: string, allowed: readonly string[], path: readonly (string | number)[]): Template {
  const pieces = piecesOf(text, allowed, path)
  const [first] = pieces
  if (pieces.length === 1 && typeof first === 'string') return () => first
  if (pieces.length === 1 && typeof first === 'object') {
    const { name } = first
    return (values) => own(values, name) ?? ABSENT
  }
  return (values) => pieces.map((piece) => (typeof piece === 'string' ? piece : shown(own(values, piece.name)))).join('')
}

function compileObject(entries: readonly (readonly [string, Template])[]): Template {
  return (values) => {
    const filled: [string, unknown][] = []
    for (const [key, template] of entries) {
      const value = template(values)
      if (value !== ABSENT) filled.push([key, value])
    }
    return Object.fromEntries(filled)
  }
}

function compile(json: unknown, allowed: readonly string[], path: readonly (string | number)[]): Template {
  if (typeof json === 'string') return compileText(json, allowed, path)
  if (Array.isArray(json)) {
    const items = json.map((item: unknown, index) => compile(item, allowed, [...path, index]))
    return (values) => items.map((item) => item(values)).map((value) => (value === ABSENT ? null : value))
  }
  if (typeof json === 'object' && json !== null) {
    return compileObject(Object.entries(json).map(([key, value]) => [key, compile(value, allowed, [...path, key])] as const))
  }
  return () => json
}

/**
 * Compiles JSON whose strings may hold `{{placeholders}}`. A string that is exactly one placeholder keeps the type of the
 * value, so that a number stays a number; elsewhere values become text. A placeholder that has no value leaves its object
 * member out, is `null` in a list, and is nothing in a text.
 *
 * @throws {TemplateError} for a placeholder that is not allowed or not closed
 */
export function compileJsonTemplate(json: unknown, allowed: readonly string[]): Template {
  const template = compile(json, allowed, [])
  return (values) => {
    const filled = template(values)
    return filled === ABSENT ? null : filled
  }
}
