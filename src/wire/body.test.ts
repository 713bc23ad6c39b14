import { assert, jsonValue, property, string } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isDenial } from '../model/denial.ts'
import { mediaTypeOf, parseBody } from './body.ts'

const JSON_TYPE = 'application/json'
const FORM = 'application/x-www-form-urlencoded'

const parsed = (text: string | Uint8Array, type: string | undefined = JSON_TYPE) => parseBody(typeof text === 'string' ? Buffer.from(text) : text, type)

/** The parsed value with ordinary objects, or the detail of the refusal. */
function outcome(text: string | Uint8Array, type?: string): unknown {
  const result = parsed(text, type)
  return isDenial(result) ? `refused: ${'detail' in result ? result.detail : ''}` : result.value === undefined ? undefined : JSON.parse(JSON.stringify(result.value))
}

describe('JSON', () => {
  test.each([
    ['an object', '{"email":"a@example.com","n":1.5,"b":[true,null]}', { email: 'a@example.com', n: 1.5, b: [true, null] }],
    ['white space around', ' \n{"a" : 1 }\t', { a: 1 }],
    ['a bare value', '"x"', 'x'],
    ['null', 'null', null],
    ['equal names in different objects', '{"a":{"id":1},"b":{"id":2},"c":[{"id":3},{"id":4}]}', { a: { id: 1 }, b: { id: 2 }, c: [{ id: 3 }, { id: 4 }] }],
    ['a value that equals a name', '{"a":"a","b":["a","a"]}', { a: 'a', b: ['a', 'a'] }],
    ['brackets and quotes inside strings', String.raw`{"a":"}{\"a\":","b":"\\"}`, { a: '}{"a":', b: '\\' }],
    ['names that differ in case', '{"a":1,"A":2}', { a: 1, A: 2 }],
  ])('%s is read', (_title, text, expected) => {
    expect(outcome(text)).toEqual(expected)
  })

  test.each([
    ['a name twice', '{"email":"a","email":"b"}'],
    ['a name twice, once spelled with an escape', String.raw`{"email":"a","\u0065mail":"b"}`],
    ['a name twice, deep inside', '{"a":[1,{"b":{"c":1,"d":[],"c":2}}]}'],
    ['a name twice, with an object between', '{"a":1,"b":{"x":1},"a":2}'],
    ['a name twice, with a list between', '{"a":1,"b":[1,2],"a":2}'],
    ['an empty name twice', '{"":1,"":2}'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}'],
  ])('%s is refused', (_title, text) => {
    expect(outcome(text)).toBe('refused: a member stands twice in the same object of the body')
  })

  test.each([
    ['nothing but space', ' '], ['half an object', '{"a":'], ['something after it', '{} {}'], ['single quotes', "{'a':1}"], ['a comment', '{/**/}'], ['a trailing comma', '{"a":1,}'],
    ['a byte order mark', '\ufeff{}'], ['NaN', 'NaN'],
  ])('%s is not JSON', (_title, text) => {
    expect(outcome(text)).toBe('refused: the body is not JSON')
  })

  test.each([
    ['a lone continuation byte', [0x22, 0x80, 0x22]], ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]], ['an encoded surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]], ['UTF-16', [0xff, 0xfe, 0x7b, 0x00]],
  ])('%s is not UTF-8', (_title, bytes) => {
    expect(outcome(Uint8Array.from(bytes))).toBe('refused: the body is not UTF-8')
  })

  test.each([['[', ']'], ['{"a":', '}']])('32 levels of %s are read, 33 are not, and 100,000 do no harm', (open, close) => {
    const nested = (levels: number) => open.repeat(levels) + '1' + close.repeat(levels)
    expect(isDenial(parsed(nested(32)))).toBe(false)
    expect(outcome(nested(33))).toBe('refused: the body is nested deeper than 32 levels')
    expect(outcome(nested(100_000))).toMatch(/^refused: /)
  })

  test('an object has the members that were sent, and none besides', () => {
    const result = parsed('{"__proto__":{"admin":true},"a":{"constructor":1}}')
    const value = (result as { value: Record<string, unknown> }).value
    expect(Object.getPrototypeOf(value)).toBeNull()
    expect(value['admin']).toBeUndefined()
    expect(value['toString']).toBeUndefined()
    expect(Object.hasOwn(value, '__proto__')).toBe(true)
    expect(({} as { admin?: unknown }).admin).toBeUndefined()
  })

  test('whatever can be written as JSON without repetition is read as JSON.parse reads it', () => {
    assert(property(jsonValue({ maxDepth: 6 }), (value) => {
      const text = JSON.stringify(value)
      expect(outcome(text)).toEqual(JSON.parse(text))
    }))
  })

  test('whatever is repeated is found, wherever it stands', () => {
    assert(property(string(), jsonValue({ maxDepth: 3 }), jsonValue({ maxDepth: 3 }), (name, first, second) => {
      const key = JSON.stringify(name)
      expect(outcome(`[{"x${name.length}":0},[{${key}:${JSON.stringify(first)},${key}:${JSON.stringify(second)}}]]`)).toMatch(/^refused: a member stands twice/)
    }))
  })
})

describe('a form', () => {
  test.each([
    ['fields are texts', 'grant_type=password&n=1', { grant_type: 'password', n: '1' }],
    ['plus and percent are decoded', 'a+b=%C3%A9+%2B%26', { 'a b': 'é +&' }],
    ['a field without a value is empty', 'a&b=', { a: '', b: '' }],
    ['an equals sign belongs to the value', 'a=b=c', { a: 'b=c' }],
    ['empty pairs are nothing', '&a=1&&', { a: '1' }],
    ['a semicolon separates nothing', 'a=1;a=2', { a: '1;a=2' }],
    ['a field twice is refused', 'grant_type=password&grant_type=refresh_token', 'refused: a form field stands twice in the body'],
    ['also when it is spelled differently', 'grant_type=password&grant%5Ftype=x', 'refused: a form field stands twice in the body'],
    ['half an escape is refused', 'a=%4', 'refused: a form field is not percent-encoded UTF-8'],
    ['escapes that are not UTF-8 are refused', 'a=%ff', 'refused: a form field is not percent-encoded UTF-8'],
  ])('%s', (_title, text, expected) => {
    expect(outcome(text, FORM)).toEqual(expected)
  })

  test('__proto__ is a field like any other', () => {
    const { value } = parsed('__proto__=x', FORM) as { value: Record<string, string> }
    expect(Object.entries(value)).toEqual([['__proto__', 'x']])
  })
})

describe('media types', () => {
  test.each([
    ['application/json', '{"a":1}', { a: 1 }],
    ['Application/JSON ; charset=UTF-8', '{"a":1}', { a: 1 }],
    ['application/json; charset="utf-8"', '{"a":1}', { a: 1 }],
    ['application/vnd.api+json', '{"a":1}', { a: 1 }],
    ['application/json; charset=utf-16', '{"a":1}', 'refused: the body is not declared as UTF-8'],
    ['application/json; charset=utf-8; charset=utf-7', '{"a":1}', 'refused: the body is not declared as UTF-8'],
    ['application/x-www-form-urlencoded; charset=iso-8859-1', 'a=1', 'refused: the body is not declared as UTF-8'],
    ['text/plain', '{"a":1,"a":2}', undefined],
    ['application/jsonx', '{"a":1}', undefined],
    ['multipart/form-data; boundary=x', 'a=1', undefined],
    ['', '{"a":1}', undefined],
  ])('%s', (type, text, expected) => {
    expect(outcome(text, type)).toEqual(expected)
  })

  test('without a type nothing is read, and an empty body is no value', () => {
    expect(parseBody(Buffer.from('{'), undefined)).toEqual({ value: undefined })
    expect(parseBody(new Uint8Array(), JSON_TYPE)).toEqual({ value: undefined })
  })

  test.each([['application/json', 'application/json'], [' Application/JSON;charset=x', 'application/json'], ['', undefined], [' ; charset=utf-8', undefined], [undefined, undefined]])('of %s is %s', (header, type) => {
    expect(mediaTypeOf(header)).toBe(type)
  })
})
