import { describe, expect, it } from 'vitest'
import { responseHeaders } from './response-headers.ts'

type Field = readonly [string, string]

const pairs = (list: readonly string[]): [string, string][] => list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1]!]] : []))
const relayed = (lines: readonly Field[], added: readonly Field[] = []): [string, string][] => pairs(responseHeaders(lines.flat().map((part) => Buffer.from(part, 'latin1')), added))
const value = (list: readonly Field[], lower: string): string | undefined => list.filter(([name]) => name.toLowerCase() === lower).map(([, text]) => text).join(' | ') || undefined

describe('the upstream\'s answer', () => {
  it('passes byte for byte, in order, repetitions and Latin-1 included', () => {
    const lines: Field[] = [['Content-Type', 'text/plain'], ['Set-Cookie', 'a=1'], ['set-cookie', 'b=2'], ['X-Name', 'caf\u00e9 \u00ff'], ['content-length', '5']]
    expect(relayed(lines)).toEqual(lines)
    expect(pairs(responseHeaders(lines.flat(), []))).toEqual(lines)
  })

  it.each(['Connection', 'Keep-Alive', 'Proxy-Connection', 'Proxy-Authenticate', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade'])('loses %s', (name) => {
    expect(relayed([[name, 'x'], ['X-Other', 'y']])).toEqual([['X-Other', 'y']])
  })

  it('loses what Connection names', () => {
    expect(relayed([['X-Hop', '1'], ['Connection', 'close, X-HOP'], ['connection', 'x-two'], ['X-Two', '2'], ['X-Three', '3']])).toEqual([['X-Three', '3']])
  })

  it.each([
    'Content-Type', 'Content-Length', 'Content-Encoding', 'Content-Security-Policy', 'Set-Cookie', 'Cache-Control', 'Vary', 'ETag', 'Expires', 'Location', 'WWW-Authenticate', 'Strict-Transport-Security', 'X-Frame-Options',
    'X-Content-Type-Options', 'Access-Control-Allow-Origin', 'Cross-Origin-Opener-Policy', 'RateLimit', 'X-RateLimit-Remaining', 'Retry-After',
  ])('keeps %s even when Connection names it (CVE-2026-71849)', (name) => {
    expect(relayed([['Connection', `close, ${name}`], [name, '1']])).toEqual([[name, '1']])
  })

  it('loses a length beside a transfer coding', () => {
    expect(relayed([['Content-Length', '5'], ['Transfer-Encoding', 'chunked']])).toEqual([])
  })

  it('has no half line', () => {
    expect(responseHeaders(['a', 'b', 'c'], [])).toEqual(['a', 'b'])
  })
})

describe('fields of ours', () => {
  it('replace the upstream\'s of the same name and follow the rest', () => {
    expect(relayed([['access-control-allow-origin', '*'], ['X-Request-Id', 'theirs'], ['A', 'b']], [['Access-Control-Allow-Origin', 'https://app.test'], ['X-Request-Id', 'ours']])).toEqual([
      ['A', 'b'], ['Access-Control-Allow-Origin', 'https://app.test'], ['X-Request-Id', 'ours'],
    ])
  })

  it('never touch Set-Cookie', () => {
    expect(relayed([['Set-Cookie', 'a=1']], [['Set-Cookie', 'b=2']])).toEqual([['Set-Cookie', 'a=1'], ['Set-Cookie', 'b=2']])
  })

  it.each([
    [[], 'Origin', 'Origin'],
    [['Accept'], 'Origin', 'Accept, Origin'],
    [['Accept-Encoding, origin', 'Accept'], 'Origin, Cookie', 'Accept-Encoding, origin, Accept, Cookie'],
    [['*'], 'Origin', '*'],
    [['Accept'], '*', '*'],
  ])('Vary %j with %s is %s', (upstream, ours, merged) => {
    expect(value(relayed(upstream.map((line): Field => ['vary', line]), [['Vary', ours]]), 'vary')).toBe(merged)
  })
})

describe('rate-limit fields of the upstream are never loosened', () => {
  it('RateLimit and RateLimit-Policy are one list of both', () => {
    const list = relayed([['RateLimit', '"api";r=0;t=10'], ['ratelimit-policy', '"api";q=5;w=10']], [['RateLimit', '"minute";r=45;t=12'], ['RateLimit-Policy', '"minute";q=60;w=60']])
    expect(value(list, 'ratelimit')).toBe('"api";r=0;t=10, "minute";r=45;t=12')
    expect(value(list, 'ratelimit-policy')).toBe('"api";q=5;w=10, "minute";q=60;w=60')
  })

  it('an older form stays alone', () => {
    expect(value(relayed([['RateLimit', 'limit=10, remaining=5, reset=3']], [['RateLimit', '"minute";r=45;t=12']]), 'ratelimit')).toBe('limit=10, remaining=5, reset=3')
  })

  const OURS: Field[] = [['X-RateLimit-Limit', '100'], ['X-RateLimit-Remaining', '45'], ['X-RateLimit-Reset', '999']]

  it.each([
    ['lower', '3', '10 / 3 / 5'],
    ['unreadable', 'few', '10 / few / 5'],
    ['equal', '45', '100 / 45 / 999'],
    ['higher', '46', '100 / 45 / 999'],
  ])('X-RateLimit-* with a %s remaining', (_title, remaining, expected) => {
    const list = relayed([['x-ratelimit-limit', '10'], ['x-ratelimit-remaining', remaining], ['x-ratelimit-reset', '5']], OURS)
    expect(['limit', 'remaining', 'reset'].map((part) => value(list, `x-ratelimit-${part}`)).join(' / ')).toBe(expected)
  })

  it('of a tighter upstream are not mixed with ours', () => {
    const list = relayed([['X-RateLimit-Remaining', '3']], OURS)
    expect(value(list, 'x-ratelimit-limit')).toBeUndefined()
    expect(value(list, 'x-ratelimit-remaining')).toBe('3')
  })

  it.each([['120', '5', '120'], ['5', '120', '120'], ['Wed, 21 Oct 2026 07:28:00 GMT', '5', 'Wed, 21 Oct 2026 07:28:00 GMT'], ['x', '5', 'x']])('Retry-After %s beside ours %s is %s', (theirs, ours, expected) => {
    expect(value(relayed([['Retry-After', theirs]], [['Retry-After', ours]]), 'retry-after')).toBe(expected)
  })

  it('ours stand where the upstream has none', () => {
    expect(relayed([], [...OURS, ['RateLimit', '"minute";r=45;t=12'], ['Retry-After', '3']])).toEqual([...OURS, ['RateLimit', '"minute";r=45;t=12'], ['Retry-After', '3']])
  })
})
