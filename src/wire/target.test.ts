import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isDenial } from '../model/denial.ts'
import { hostOf } from './host.ts'
import { targetOf } from './target.ts'

const asked = (rawTarget: string, over: { host?: string; method?: string } = {}) => targetOf({ rawTarget, host: over.host ?? 'api.test', scheme: 'http', method: over.method ?? 'GET' })

const code = (result: ReturnType<typeof asked>): string => (isDenial(result) ? result.code : 'accepted')

describe('a target that is refused', () => {
  it.each([
    // Other forms than origin-form (T15).
    '', 'admin', '*', 'http://internal/admin', 'HTTP://internal/admin', 'a:80', '?x=/', '//', '//evil.example/admin', '///admin', ' /admin',
    // Fragments and backslashes.
    '/public#/../admin', '/public#', '/public?x#y', '/a\\b', '/public\\..\\admin', '/..\\admin',
    // Dot segments, raw and encoded, with and without parameters.
    '/.', '/..', '/./admin', '/../admin', '/public/../admin', '/public/./admin', '/public/..', '/public/.', '/public/%2e%2e/admin', '/public/%2E%2E/admin',
    '/public/.%2e/admin', '/public/%2e./admin', '/%2e/admin', '/public/..;/admin', '/public/..;foo=bar/admin', '/public/.;/admin', '/public/..%3b/admin',
    '/public/..%3Bx/admin', '/public/.%3b', '/file%2ejson',
    // Encoded slashes, backslashes, controls.
    '/public%2fadmin', '/public%2Fadmin', '/public/..%2fadmin', '/public/..%2f..%2fadmin', '/a%5cb', '/a%5Cb', '/..%5cadmin', '/a%00', '/a%00.png', '/a%0d%0aX-User-Id:%20a',
    '/a%0a', '/a%09b', '/a%1f', '/a%7f', '/a%7F',
    // Encoded twice.
    '/public/%252e%252e/admin', '/a%252fb', '/a%255cb', '/a%2500', '/%25%32%65',
    // Malformed and not UTF-8.
    '/%', '/%a', '/%zz', '/%u002e%u002e/admin', '/a%2', '/%c0%ae%c0%ae/admin', '/%c0%af', '/%e0%80%af', '/%f0%80%80%af', '/%ed%a0%80', '/%f5%80%80%80', '/%ff',
    '/%80', '/%c3', '/%c3/a', '/%c3%28', '/%e2%82', '/%e2%82x', '/%c3a9',
    // Parameters, empty segments.
    '/public;/admin', '/admin;jsessionid=1', '/a;b', '/public//admin', '/public//', '/a//b',
    // Raw bytes that no URI has.
    '/a b', '/a\tb', '/a\u0000', '/a\u007f', '/caf\u00e9', '/\u00c0\u00ae', '/a?x=\u00e9', '/a?x=\u0001', '/a?x y',
    // Second spellings of letters (F4): every upstream decodes them, no rule does.
    '/%61dmin', '/%41dmin', '/adm%69n', '/%7euser', '/a%2db', '/a%5fb', '/%30',
  ])('%j', (rawTarget) => {
    expect(code(asked(rawTarget))).toBe('request_ambiguous')
  })

  it('longer than 8 KiB is 414', () => {
    expect(asked(`/${'a'.repeat(8_192)}`)).toMatchObject({ code: 'request_too_large', status: 414 })
    expect(code(asked(`/${'a'.repeat(8_191)}`))).toBe('accepted')
    expect(asked(`/?${'a'.repeat(8_192)}`)).toMatchObject({ code: 'request_too_large', status: 414 })
  })

  it('says why without quoting the request', () => {
    expect(asked('/secret-token/../x')).toEqual({ kind: 'denial', code: 'request_ambiguous', part: 'target', detail: 'a dot segment' })
  })
})

describe('a target that is accepted', () => {
  it.each([
    ['/', '/', ''],
    ['/admin', '/admin', ''],
    ['/admin/', '/admin/', ''],
    ['/admin.', '/admin.', ''],
    ['/ADMIN.json', '/ADMIN.json', ''],
    ['/.well-known/x', '/.well-known/x', ''],
    ['/...', '/...', ''],
    ['/..a/.b', '/..a/.b', ''],
    ['/a%20b', '/a%20b', ''],
    ['/C%23', '/C%23', ''],
    ['/100%25', '/100%25', ''],
    ['/100%25/x', '/100%25/x', ''],
    ['/caf%c3%A9', '/caf%c3%A9', ''],
    ['/%e2%82%ac%F0%9F%98%80', '/%e2%82%ac%F0%9F%98%80', ''],
    ['/a%3bb', '/a%3bb', ''],
    ['/@me/a:b,c+d=e!f$g&h\'(i)*', '/@me/a:b,c+d=e!f$g&h\'(i)*', ''],
    ['/x?', '/x', ''],
    ['/x?a=1&b=%2e%2e%2f', '/x', 'a=1&b=%2e%2e%2f'],
    ['/x?u=http://h/..//;\\{}|"<>^`%zz?', '/x', 'u=http://h/..//;\\{}|"<>^`%zz?'],
  ])('%j', (rawTarget, path, query) => {
    expect(asked(rawTarget)).toEqual({ scheme: 'http', host: 'api.test', path, query })
  })

  it('the asterisk, for OPTIONS only', () => {
    expect(asked('*', { method: 'OPTIONS' })).toMatchObject({ path: '*', query: '' })
  })
})

describe('hostOf', () => {
  it.each([
    ['h', 'h'], ['API.Example.COM', 'api.example.com'], ['h:1', 'h:1'], ['h:65535', 'h:65535'], ['127.0.0.1:80', '127.0.0.1:80'], ['[::1]', '[::1]'], ['[2001:DB8::1]:8080', '[2001:db8::1]:8080'],
    ['my_service:3000', 'my_service:3000'], ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ])('takes %s', (value, host) => {
    expect(hostOf(value)).toBe(host)
  })

  it.each([
    '', ' ', 'a/b', 'a,b', 'a@b', 'user:pw@h', '[::1', '::1', '[::1]x', '[::1%lo]', '[1.2.3.4]', '[]', 'h:', 'h:0', 'h:080', 'h:99999', 'h:65536', 'h:-1', 'h:1:2', 'h ', 'a b', 'h.', '.h', 'a..b', 'h?x', 'h#x',
    'h%00', 'h%2e', 'a\\b', 'caf\u00e9', 'h;x', `${'a'.repeat(65_536)}`, '*',
  ])('refuses %j', (value) => {
    expect(hostOf(value)).toBeUndefined()
    expect(asked('/', { host: value })).toMatchObject({ code: 'request_ambiguous', part: 'host' })
  })
})

describe('targetOf on anything', () => {
  const pieces = fc.constantFrom('/', '.', '..', '%2e', '%2F', '%5c', '%25', '%c3%a9', '%c0', ';', '?', '#', '\\', 'a', 'admin', '%61', ' ', '\u00e9', '%', '*', '://')
  const targets = fc.oneof(fc.string(), fc.array(pieces, { maxLength: 12 }).map((parts) => `/${parts.join('')}`))

  it('never throws, and what it accepts comes out byte for byte', () => {
    fc.assert(
      fc.property(targets, (rawTarget) => {
        const target = asked(rawTarget)
        if (isDenial(target)) return
        const rebuilt = target.query === '' && !rawTarget.endsWith('?') ? target.path : `${target.path}?${target.query}`
        expect(rebuilt).toBe(rawTarget)
      }),
      { numRuns: 3_000 },
    )
  })

  it('accepts no path that a WHATWG URL parser would read as another', () => {
    fc.assert(
      fc.property(targets, (rawTarget) => {
        const target = asked(rawTarget)
        if (isDenial(target)) return
        const url = new URL(`http://api.test${rawTarget}`)
        // That parser encodes a few characters that may stand raw; nothing else may differ.
        expect(url.pathname).toBe(target.path.replace(/["<>^`{}]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`))
        expect(url.host).toBe('api.test')
      }),
      { numRuns: 3_000 },
    )
  })
})
