import { describe, expect, test } from 'vitest'
import { CorsMistake, createCorsPolicy, type CorsSettings } from './cors.ts'

const settings = (over: Partial<CorsSettings> = {}): CorsSettings => ({
  origins: ['https://app.example.com', 'http://localhost:3000'], credentials: false,
  methods: ['GET', 'POST'], headers: ['authorization', 'X-Client-Info'], expose: ['Retry-After'], ...over,
})

describe('fields of an answer', () => {
  test.each([
    ['a listed origin may read it', 'https://app.example.com', [['Access-Control-Allow-Origin', 'https://app.example.com'], ['Access-Control-Expose-Headers', 'Retry-After'], ['Vary', 'Origin']]],
    ['another origin may not', 'https://evil.example', [['Vary', 'Origin']]],
    ['no origin is told nothing, but caches are', undefined, [['Vary', 'Origin']]],
    ['null is nobody', 'null', [['Vary', 'Origin']]],
    ['another port is another origin', 'http://localhost:3001', [['Vary', 'Origin']]],
    ['another case is another origin', 'https://APP.example.com', [['Vary', 'Origin']]],
    ['a longer name is another origin', 'https://app.example.com.evil.example', [['Vary', 'Origin']]],
    ['a name inherited by every object is not an origin', 'constructor', [['Vary', 'Origin']]],
  ])('%s', (_title, origin, expected) => {
    expect(createCorsPolicy(settings()).fieldsFor(origin)).toEqual(expected)
  })

  test('credentials are allowed only where the origin is', () => {
    const policy = createCorsPolicy(settings({ credentials: true }))
    expect(policy.fieldsFor('https://app.example.com')).toContainEqual(['Access-Control-Allow-Credentials', 'true'])
    expect(policy.fieldsFor('https://evil.example')).toEqual([['Vary', 'Origin']])
  })

  test.each([['https://any.example'], [undefined], ['null']])('with * everybody is told *, never an origin (%s)', (origin) => {
    expect(createCorsPolicy(settings({ origins: ['*'] })).fieldsFor(origin)).toEqual([['Access-Control-Allow-Origin', '*'], ['Access-Control-Expose-Headers', 'Retry-After']])
  })

  test('an empty list allows nobody', () => {
    expect(createCorsPolicy(settings({ origins: [] })).fieldsFor('https://app.example.com')).toEqual([['Vary', 'Origin']])
  })
})

describe('fields of a preflight', () => {
  test('methods and headers stand there exactly as configured', () => {
    expect(createCorsPolicy(settings({ max_age: 600_000, credentials: true })).preflightFor('https://app.example.com')).toEqual([
      ['Access-Control-Allow-Origin', 'https://app.example.com'],
      ['Access-Control-Allow-Credentials', 'true'],
      ['Access-Control-Allow-Methods', 'GET, POST'],
      ['Access-Control-Allow-Headers', 'authorization, X-Client-Info'],
      ['Access-Control-Max-Age', '600'],
      ['Vary', 'Origin'],
    ])
  })

  test('an origin that is not listed gets no allow field', () => {
    expect(createCorsPolicy(settings({ max_age: 600_000 })).preflightFor('https://evil.example')).toEqual([['Vary', 'Origin']])
  })

  test('with * there is nothing to vary by', () => {
    expect(createCorsPolicy(settings({ origins: ['*'], methods: ['POST'], headers: ['authorization', 'x-client-info', 'apikey', 'content-type'] })).preflightFor('https://any.example')).toEqual([
      ['Access-Control-Allow-Origin', '*'],
      ['Access-Control-Allow-Methods', 'POST'],
      ['Access-Control-Allow-Headers', 'authorization, x-client-info, apikey, content-type'],
    ])
  })
})

describe('settings that open too much, or nothing, are refused', () => {
  test.each([
    ['* with credentials', { origins: ['*'], credentials: true }, 'credentials'],
    ['* beside an origin', { origins: ['*', 'https://app.example.com'] }, 'already means every origin'],
    ['null', { origins: ['null'] }, 'sandboxed'],
    ['a path', { origins: ['https://app.example.com/'] }, 'expected an origin'],
    ['upper case, which no browser sends', { origins: ['https://App.example.com'] }, 'lower case'],
    ['a bare host', { origins: ['app.example.com'] }, 'expected an origin'],
    ['a pattern', { origins: ['https://*.example.com'] }, 'expected an origin'],
    ['a line break', { origins: ['https://app.example.com\r\nx: y'] }, 'expected an origin'],
  ])('%s', (_title, over, message) => {
    expect(() => createCorsPolicy(settings(over))).toThrow(CorsMistake)
    expect(() => createCorsPolicy(settings(over))).toThrow(message)
  })
})
