import { describe, expect, it } from 'vitest'
import { memberFaultOf } from './duplicate-member.ts'
import { looksLikeToken, readToken } from './token-shape.ts'

const encoded = (value: string | Uint8Array): string => Buffer.from(value).toString('base64url')
const HEADER = encoded('{"alg":"ES256"}')
const PAYLOAD = encoded('{"sub":"alice"}')
const SIGNATURE = encoded('signature!')
const GOOD = `${HEADER}.${PAYLOAD}.${SIGNATURE}`

const outcome = (token: string, maxLength = 8_192): string => {
  const read = readToken(token, maxLength)
  return read.kind === 'token' ? 'token' : read.reason
}

describe('a compact token', () => {
  it('is taken apart', () => {
    expect(readToken(GOOD, 8_192)).toEqual({ kind: 'token', header: { alg: 'ES256' }, payload: { sub: 'alice' } })
  })

  it.each([
    ['white space inside (Wycheproof 360)', `${HEADER}. ${PAYLOAD}.${SIGNATURE}`],
    ['a line break inside', `${HEADER}.${PAYLOAD}\n.${SIGNATURE}`],
    ['white space behind', `${GOOD} `],
    ['padding of the payload (Wycheproof 365)', `${HEADER}.${PAYLOAD}=.${SIGNATURE}`],
    ['padding of the signature (Wycheproof 367)', `${GOOD}==`],
    ['the other base64 alphabet', `${HEADER}.${encoded('{"a":"~~~???"}').replaceAll('_', '/').replaceAll('-', '+')}.${SIGNATURE}`],
    ['dirty trailing bits', `${HEADER}.${PAYLOAD}.${SIGNATURE.slice(0, -1)}${String.fromCharCode(SIGNATURE.charCodeAt(SIGNATURE.length - 1) + 1)}`],
    ['an impossible length', `${HEADER}.${PAYLOAD}.a`],
    ['two parts', `${HEADER}.${PAYLOAD}`],
    ['four parts', `${GOOD}.${SIGNATURE}`],
    ['a JWE of five parts', `${HEADER}.a.b.c.d`],
    ['the JSON serialisation', JSON.stringify({ protected: HEADER, payload: PAYLOAD, signature: SIGNATURE })],
    ['nothing but dots', '..'],
    ['an empty payload', `${HEADER}..${SIGNATURE}`],
    ['a header that is an array', `${encoded('[]')}.${PAYLOAD}.${SIGNATURE}`],
    ['a header that is a number', `${encoded('1')}.${PAYLOAD}.${SIGNATURE}`],
    ['a payload that is null', `${HEADER}.${encoded('null')}.${SIGNATURE}`],
    ['a payload that is not JSON', `${HEADER}.${encoded('{sub:1}')}.${SIGNATURE}`],
    ['a payload that is not UTF-8', `${HEADER}.${encoded(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d))}.${SIGNATURE}`],
    ['a payload behind a byte order mark', `${HEADER}.${encoded('\u{feff}{"sub":"alice"}')}.${SIGNATURE}`],
    ['a member called __proto__', `${HEADER}.${encoded('{"__proto__":{"sub":"admin"}}')}.${SIGNATURE}`],
  ])('is refused with %s', (_title, token) => {
    expect(outcome(token)).toBe('jwt_malformed')
  })

  it('is refused unread when it is too long', () => {
    expect(outcome('.'.repeat(10_000))).toBe('token_too_long')
    expect(outcome(GOOD, GOOD.length - 1)).toBe('token_too_long')
    expect(outcome(GOOD, GOOD.length)).toBe('token')
  })

  it('is refused when a member stands twice in the header or the payload', () => {
    expect(outcome(`${encoded('{"alg":"ES256","alg":"none"}')}.${PAYLOAD}.${SIGNATURE}`)).toBe('jwt_duplicate_member')
    expect(outcome(`${HEADER}.${encoded('{"sub":"alice","sub":"admin"}')}.${SIGNATURE}`)).toBe('jwt_duplicate_member')
  })

  it('cannot look like a fault', () => {
    expect(readToken(`${HEADER}.${encoded('{"kind":"fault","reason":"x","detail":"y"}')}.${SIGNATURE}`, 8_192).kind).toBe('token')
  })
})

describe('duplicate members', () => {
  it.each([
    ['{"a":1,"a":2}', 'duplicate'],
    ['{"a":1,"\\u0061":2}', 'duplicate'],
    ['{"x":{"a":1,"b":[{"a":1,"a":2}]}}', 'duplicate'],
    ['{"a":1, "b":2 ,"a" : 3}', 'duplicate'],
    ['{"a":{"a":1},"b":{"a":1}}', undefined],
    ['{"a":"a","b":["a","a","{\\"a\\":1"]}', undefined],
    ['{"a":"\\\\","b":"\\"a\\":"}', undefined],
    ['[{"a":1},{"a":2}]', undefined],
    ['{"constructor":1,"hasOwnProperty":2}', undefined],
    ['{"a":{"\\u005f_proto__":1}}', 'prototype'],
    [`${'['.repeat(40)}${']'.repeat(40)}`, 'too_deep'],
  ])('in %s: %s', (json, expected) => {
    expect(JSON.parse(json)).toBeDefined()
    expect(memberFaultOf(json)).toBe(expected)
  })
})

describe('telling tokens from keys', () => {
  it.each([
    [GOOD, true],
    [`${HEADER}.${PAYLOAD}.`, true],
    [`ey${'a'.repeat(9_000)}`, true],
    [`${HEADER}.a.b.c.d`, false],
    ['sk_test_0123456789', false],
    ['a.b.c', false],
    ['client-key-1', false],
    [`${GOOD}=`, false],
  ])('%#', (value, expected) => {
    expect(looksLikeToken(value, 8_192)).toBe(expected)
  })
})
