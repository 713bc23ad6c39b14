import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { compileJsonTemplate, TemplateError } from '../../../src/wire/template.ts'
import { fuzzTarget } from '../fuzz-target.ts'
import { soup } from '../inputs.ts'

interface Input { readonly template: unknown; readonly values: Readonly<Record<string, unknown>> }

const NAMES = ['status', 'code', 'message', 'request_id']
const ABSENT = Symbol('absent')

const shown = (value: unknown): string => (value === undefined || value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value))

/** A text by splitting instead of matching: at `{{`, and each piece at the first `}}`. Undefined when it is no template. */
function filledText(text: string, values: Input['values']): unknown {
  const [before = '', ...rest] = text.split('{{')
  const parts: (string | { value: unknown })[] = [before]
  for (const piece of rest) {
    const end = piece.indexOf('}}')
    const name = piece.slice(0, Math.max(0, end)).trim()
    if (end < 0 || !NAMES.includes(name)) return undefined
    parts.push({ value: Object.hasOwn(values, name) ? values[name] : undefined }, piece.slice(end + 2))
  }
  if (parts.some((part) => typeof part === 'string' && part.includes('}}'))) return undefined
  const [first, only, last] = parts
  if (parts.length === 3 && first === '' && last === '' && typeof only === 'object') return only.value ?? ABSENT
  return parts.map((part) => (typeof part === 'string' ? part : shown(part.value))).join('')
}

const isText = (value: unknown): value is string => typeof value === 'string'

/** Every text of a JSON value. */
function textsOf(json: unknown): string[] {
  if (isText(json)) return [json]
  return typeof json === 'object' && json !== null ? Object.values(json).flatMap(textsOf) : []
}

function filled(json: unknown, values: Input['values']): unknown {
  if (isText(json)) return filledText(json, values)
  if (Array.isArray(json)) return json.map((item) => filled(item, values)).map((item) => (item === ABSENT ? null : item))
  if (typeof json !== 'object' || json === null) return json
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, filled(value, values)] as const).filter(([, value]) => value !== ABSENT))
}

/** Braces in odd numbers have no reading that everybody shares; only what splitting and matching agree on is compared. */
const isClear = (text: string): boolean => !/\{{3}|\}{3}|\{\{[^}]*\{|\}(?=\}?[^{}]*\}\})/.test(text)

function check({ template, values }: Input): string {
  const texts = textsOf(template)
  const clear = texts.every(isClear)
  const good = texts.every((text) => filledText(text, values) !== undefined)
  let compiled: ReturnType<typeof compileJsonTemplate>
  try {
    compiled = compileJsonTemplate(template, NAMES)
  } catch (error) {
    assert.ok(error instanceof TemplateError, String(error))
    if (clear) assert.ok(!good, `refused: ${error.message}`)
    return 'refused'
  }
  const result = compiled(values)
  assert.equal(typeof JSON.stringify(result), 'string')
  if (!clear) return 'unclear'
  assert.ok(good, 'accepted')
  const wanted = filled(template, values)
  assert.deepEqual(result, wanted === ABSENT ? null : wanted)
  return 'filled'
}

const text = fc.oneof({ weight: 3, arbitrary: fc.constantFrom('{{status}}', '{{ code }}', 'a {{message}} b', '{{status}}{{code}}', 'plain', '', '{{request_id}}', '{{retry}}', '{{__proto__}}', '{{constructor}}', '{{', '}}', '{ {status}}', '{{status}} }}', '{{{status}}}', '{{status', '{{}}', '{{\nstatus\t}}') }, { weight: 1, arbitrary: soup(['{{', '}}', 'status', 'code', ' ', '{', '}', 'x', '"', '\n'], 6) })
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({ tree: fc.oneof({ maxDepth: 3, depthSize: 'small' }, text, fc.constantFrom(null, 1, true), fc.dictionary(fc.constantFrom('a', 'b', '{{code}}', '__proto__', ''), tie('tree'), { maxKeys: 3 }), fc.array(tie('tree'), { maxLength: 3 })) }))
const value = fc.constantFrom<unknown>('x', '{{code}}', '"', '</script>', 401, 0, null, undefined, '', { a: 1 }, ['b'], '\r\n', '\ud800')

export const errorTemplates = fuzzTarget<Input>({
  name: 'error-templates',
  subject: 'error templates of any JSON shape with placeholders well and badly written, and values that look like placeholders',
  oracle: 'a second compiler that splits instead of matching; a mistake is a `TemplateError`; values are never read as templates',
  where: 'in process',
  verdicts: ['filled', 'refused', 'unclear'],
  batch: 50_000,
  weight: 10,
  open: () => ({ inputs: fc.record({ template: tree, values: fc.dictionary(fc.constantFrom(...NAMES), value) }), check }),
})
