import { describe, expect, it } from 'vitest'
import type { Extraction } from '../model/credential.ts'
import { request } from '../../test/support/described.ts'
import type { Memory } from '../base/memory.ts'
import { challengeOf, cookiesOf, createExtract, locationsOf, type Carrier } from './carriers.ts'

const BEARER: Carrier = { kind: 'bearer', scheme: 'required' }
const BARE: Carrier = { kind: 'bearer', scheme: 'optional' }
const HEADER: Carrier = { kind: 'header', name: 'x-api-key' }
const COOKIE: Carrier = { kind: 'cookie', name: 'session' }

const short = (found: Extraction): string => (found === undefined ? 'missing' : found.kind === 'credential' ? found.value : found.kind)
const extracted = (carriers: readonly Carrier[], headers: Record<string, string | string[]>, recognises?: (value: string) => boolean) => short(createExtract(carriers, recognises)(request({ headers })))

describe('a bearer carrier', () => {
  it.each([
    ['Bearer abc', 'abc'],
    ['bearer abc', 'abc'],
    ['BEARER   abc', 'abc'],
    ['Bearer abc  ', 'abc'],
    ['', 'missing'],
    ['   ', 'missing'],
    ['Bearer', 'missing'],
    ['Bearer   ', 'missing'],
    ['Bearer a b', 'malformed'],
    ['Bearer a, Bearer b', 'malformed'],
    ['Bearer\tabc', 'malformed'],
    ['Bearer a\u00e9', 'malformed'],
    ['Basic dXNlcjpwYXNz', 'foreign'],
    ['abc', 'foreign'],
    ['Bearerabc', 'foreign'],
  ])('reads %j as %s', (value, expected) => {
    expect(extracted([BEARER], { authorization: value })).toBe(expected)
  })

  it.each([
    ['abc', 'abc'],
    ['bearer abc', 'abc'],
    ['Bearer', 'missing'],
    ['Basic dXNlcjpwYXNz', 'foreign'],
    ['a b', 'foreign'],
  ])('with an optional scheme reads %j as %s', (value, expected) => {
    expect(extracted([BARE], { authorization: value })).toBe(expected)
  })

  it.each([
    [['Bearer good', 'Bearer bad']],
    [['Bearer bad', 'Bearer good']],
    [['Bearer same', 'Bearer same']],
    [['', 'Bearer good']],
  ])('is ambiguous when the field is repeated: %j', (lines) => {
    expect(extracted([BEARER], { authorization: lines })).toBe('ambiguous')
  })
})

describe('header and cookie carriers', () => {
  it.each([
    ['a header', [HEADER], { 'x-api-key': 'k' }, 'k'],
    ['an empty header', [HEADER], { 'x-api-key': '' }, 'missing'],
    ['a repeated header', [HEADER], { 'x-api-key': ['k', 'k'] }, 'ambiguous'],
    ['a header that a neighbour joined', [HEADER], { 'x-api-key': 'k1, k2' }, 'malformed'],
    ['a cookie', [COOKIE], { cookie: 'a=1; session=s; b=2' }, 's'],
    ['a cookie of another case', [COOKIE], { cookie: 'Session=s' }, 'missing'],
    ['a cookie whose name only starts alike', [COOKIE], { cookie: 'session2=s; sessio=s' }, 'missing'],
    ['an empty cookie', [COOKIE], { cookie: 'session=' }, 'missing'],
    ['a repeated cookie', [COOKIE], { cookie: 'session=s; session=s' }, 'ambiguous'],
    ['a cookie repeated over two lines', [COOKIE], { cookie: ['session=s', 'session=t'] }, 'ambiguous'],
  ] as const)('reads %s', (_title, carriers, headers, expected) => {
    expect(extracted(carriers, headers as Record<string, string | string[]>)).toBe(expected)
  })

  it('takes the first carrier that is present', () => {
    expect(extracted([HEADER, BEARER], { 'x-api-key': 'first', authorization: 'Bearer second' })).toBe('first')
    expect(extracted([HEADER, BEARER], { authorization: 'Bearer second' })).toBe('second')
  })

  it('never reads the query', () => {
    expect(short(createExtract([BEARER, HEADER])(request({ query: 'access_token=abc&x-api-key=k' })))).toBe('missing')
  })

  it('reports a repeated carrier even when an earlier one is fine', () => {
    expect(extracted([HEADER, BEARER], { 'x-api-key': 'k', authorization: ['Bearer a', 'Bearer b'] })).toBe('ambiguous')
  })

  it('looks past something of another shape, and says so when nothing else is there', () => {
    const mine = (value: string) => value.startsWith('sk_')
    expect(extracted([BEARER, HEADER], { authorization: 'Bearer other', 'x-api-key': 'sk_1' }, mine)).toBe('sk_1')
    expect(extracted([BEARER, HEADER], { authorization: 'Bearer other' }, mine)).toBe('foreign')
  })

  it('names every place it may read', () => {
    expect(locationsOf([BEARER, HEADER, COOKIE])).toEqual([{ kind: 'header', name: 'authorization' }, { kind: 'header', name: 'x-api-key' }, { kind: 'cookie', name: 'session' }])
  })

  it.each([
    [[BEARER, HEADER], 'Bearer'],
    [[HEADER], 'ApiKey'],
    [[COOKIE], 'Cookie'],
  ] as const)('asks for what it reads: %j', (carriers, scheme) => {
    expect(challengeOf(carriers, 'api')).toMatchObject({ scheme, parameters: [['realm', 'api'], ...(scheme === 'ApiKey' ? [['header', 'x-api-key']] : [])] })
  })
})

describe('cookies', () => {
  it.each([
    ['a=1; b=2', { a: ['1'], b: ['2'] }],
    ['a=1;b=2;', { a: ['1'], b: ['2'] }],
    ['a=b=c', { a: ['b=c'] }],
    ['a="1"', { a: ['"1"'] }],
    ['a=%20', { a: ['%20'] }],
    ['a=1; a=2', { a: ['1', '2'] }],
    ['novalue; =nameless; b d=1; ok=1', { ok: ['1'] }],
    ['__proto__=1; constructor=2', { ['__proto__']: ['1'], constructor: ['2'] }],
    ['', {}],
  ])('are read from %j as sent', (line, expected) => {
    expect([...cookiesOf(new Map([['cookie', [line]]]))]).toEqual(Object.entries(expected))
  })
})

describe('fields that are said again', () => {
  const connection = () => {
    const memory: Memory = new Map()
    return (headers: Record<string, string | string[]>) => ({ ...request({ headers }), memory })
  }

  it('are looked through once by each authenticator, whatever the others of the request hold', () => {
    const say = connection()
    const [bearer, header] = [createExtract([BEARER]), createExtract([HEADER])]
    const first = say({ authorization: 'Bearer abc', 'x-api-key': 'def' })
    const second = say({ authorization: 'Bearer abc', 'x-api-key': 'other', 'x-request-id': '2' })
    const found = bearer(first)
    expect([short(found), short(header(first))]).toEqual(['abc', 'def'])
    expect(bearer(second)).toBe(found)
    expect(short(header(second))).toBe('other')
  })

  it.each<[string, Record<string, string | string[]>, string]>([
    ['another value', { authorization: 'Bearer abd' }, 'abd'],
    ['a second line', { authorization: ['Bearer abc', 'Bearer abc'] }, 'ambiguous'],
    ['another spelling', { authorization: 'Bearer  abc' }, 'abc'],
    ['another scheme', { authorization: 'Basic abc' }, 'foreign'],
    ['no line', {}, 'missing'],
    ['another of its fields', { authorization: 'Bearer abc', cookie: ['session=s', 'session=t'] }, 'ambiguous'],
  ])('and anew where one of its own differs: %s', (_title, headers, expected) => {
    const say = connection()
    const extract = createExtract([BEARER, COOKIE])
    const found = extract(say({ authorization: 'Bearer abc' }))
    const later = extract(say(headers))
    expect(short(later)).toBe(expected)
    expect(later).not.toBe(found)
    expect(short(extract(say({ authorization: 'Bearer abc' })))).toBe('abc')
  })
})
