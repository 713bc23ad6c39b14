import { describe, expect, test } from 'vitest'
import { compileJsonTemplate, TemplateError } from './template.ts'

const ALLOWED = ['status', 'message', 'retry_after']

const fill = (json: unknown, values: Readonly<Record<string, unknown>> = {}): unknown => compileJsonTemplate(json, ALLOWED)(values)

describe('a string that is one placeholder keeps the type of its value', () => {
  test.each([
    ['a number', '{{status}}', { status: 401 }, 401],
    ['a text', '{{message}}', { message: 'no' }, 'no'],
    ['a boolean', '{{message}}', { message: false }, false],
    ['a list', '{{message}}', { message: ['a'] }, ['a']],
    ['spaces inside the braces', '{{ status }}', { status: 401 }, 401],
    ['zero', '{{status}}', { status: 0 }, 0],
  ])('%s', (_title, json, values, expected) => {
    expect(fill(json, values)).toEqual(expected)
  })
})

describe('elsewhere placeholders become text', () => {
  test.each([
    ['between words', 'wait {{retry_after}} s', { retry_after: 7 }, 'wait 7 s'],
    ['two in a row', '{{status}}{{message}}', { status: 401, message: 'no' }, '401no'],
    ['no value is nothing', 'wait {{retry_after}} s', {}, 'wait  s'],
    ['a value that looks like a placeholder is not filled in again', 'a {{message}}', { message: '{{status}}', status: 401 }, 'a {{status}}'],
  ])('%s', (_title, json, values, expected) => {
    expect(fill(json, values)).toBe(expected)
  })
})

describe('any JSON is a template', () => {
  test.each([
    ['what has no placeholder stays as it is', { a: [1, null, true, 'x', {}], b: '' }, {}, { a: [1, null, true, 'x', {}], b: '' }],
    ['placeholders are found at any depth', { error: { codes: ['{{status}}'] } }, { status: 401 }, { error: { codes: [401] } }],
    ['a member without a value is left out', { message: 'x', retryAfter: '{{retry_after}}' }, {}, { message: 'x' }],
    ['an item without a value is null', ['{{retry_after}}'], {}, [null]],
    ['the whole without a value is null', '{{retry_after}}', {}, null],
  ])('%s', (_title, json, values, expected) => {
    expect(fill(json, values)).toEqual(expected)
  })

  test('members keep their order', () => {
    expect(JSON.stringify(fill({ z: '{{status}}', a: 1 }, { status: 2 }))).toBe('{"z":2,"a":1}')
  })

  test('a member called __proto__ is a member and nothing else', () => {
    const filled = fill(JSON.parse('{"__proto__":{"admin":"{{status}}"}}'), { status: 1 })
    expect(JSON.stringify(filled)).toBe('{"__proto__":{"admin":1}}')
    expect((filled as { admin?: unknown }).admin).toBeUndefined()
  })

  test('values that only exist on the prototype are no values', () => {
    expect(compileJsonTemplate('x{{toString}}', ['toString'])({})).toBe('x')
  })
})

describe('a template that cannot work is refused when it is compiled, with its place', () => {
  test.each([
    ['an unknown name', { error: { text: '{{mesage}}' } }, ['error', 'text'], 'expected one of {{status}}, {{message}}, {{retry_after}}'],
    ['an unknown name in a list', ['ok', 'a {{nope}}'], [1], '{{nope}}'],
    ['an empty name', '{{}}', [], '{{}}'],
    ['braces that do not close', '{{status', [], 'not closed'],
    ['braces that do not open', 'status}}', [], 'not closed'],
    ['braces that do not open before one that is good', '}}{{status}}', [], 'not closed'],
    ['braces that do not close between two that are good', '{{status}}{{ {{status}}', [], 'not closed'],
  ])('%s', (_title, json, path, message) => {
    let caught: unknown
    try {
      fill(json)
    } catch (error) {
      caught = error
    }
    expect(caught).toBeInstanceOf(TemplateError)
    expect((caught as TemplateError).path).toEqual(path)
    expect((caught as TemplateError).message).toContain(message)
  })
})
