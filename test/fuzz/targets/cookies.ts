import assert from 'node:assert/strict'
import { createChunks } from '@supabase/ssr'
import * as fc from 'fast-check'
import { cookiesOf } from '../../../src/authenticators/carriers.ts'
import { chunkedCookieOf, type CookieFinding, twinsOf } from '../../../src/authenticators/session-cookies.ts'
import { supabaseCookie } from '../../../src/authenticators/supabase-cookie.ts'
import { withoutCookies } from '../../../src/wire/cookies.ts'
import { fuzzTarget } from '../fuzz-target.ts'
import { perhapsMutated } from '../inputs.ts'

type Pair = readonly [name: string, value: string]

interface Session { readonly token: string; readonly more: string; readonly encoding: 'base64url' | 'raw'; readonly order: number; readonly lost: number | undefined; readonly stray: readonly string[] }

interface Input { readonly lines: readonly string[]; readonly session: Session }

const NAME = 's'

const backwards = (text: string): string => Array.from(text).reverse().join('')
/** Blanks at the end are cut off at the front of what is turned round. */
const unended = (text: string): string => backwards(backwards(text).replace(/^[ \t]+/, ''))

/** Pairs of all lines by one regular expression each. */
const pairsOf = (lines: readonly string[]): Pair[] => lines.flatMap((line) => line.split(';')).flatMap((text) => {
  const [, name, value] = /^[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([^]*)$/.exec(text) ?? []
  return name === undefined || value === undefined ? [] : [[name, unended(value)] as const]
})

/** A chunked cookie by its definition: all parts of one name, whole or numbered from 0 without a gap, each once. */
function expected(pairs: readonly Pair[]): string {
  const full = pairs.filter(([, value]) => value !== '')
  const names = twinsOf(NAME).filter((name) => full.some(([each]) => each === name || (each.startsWith(`${name}.`) && /^\d+$/.test(each.slice(name.length + 1)))))
  const [name] = names
  if (name === undefined) return 'nothing'
  const own = full.filter(([each]) => each === name || (each.startsWith(`${name}.`) && /^\d+$/.test(each.slice(name.length + 1))))
  const different = new Set(own.map(([each]) => each))
  if (names.length > 1 || different.size < own.length || (different.has(name) && own.length > 1)) return 'ambiguous'
  const values = different.has(name) ? own.map(([, value]) => value) : own.map((_pair, index) => own.find(([each]) => each === `${name}.${index}`)?.[1])
  return values.length > 10 || values.includes(undefined) || values.join('').length > 16_384 ? 'malformed' : `value ${values.join('')}`
}

const told = (found: CookieFinding): string => (found === undefined ? 'nothing' : found.kind === 'cookie' ? `value ${found.value}` : found.kind)

/** What is left of a line: none of the names, and every other cookie in its place. */
function checkRemoval(line: string): void {
  const gone = [NAME, `${NAME}.0`]
  const rest = withoutCookies(line, gone)
  const before = pairsOf([line])
  assert.deepEqual(rest === undefined ? [] : pairsOf([rest]), before.filter(([name]) => !gone.includes(name)))
  // Not for a reader that takes a piece without `=` for a name, or trims more than blanks, either.
  for (const piece of rest?.split(';') ?? []) assert.ok(!gone.includes((piece.split('=')[0] ?? '').trim()))
}

function checkLines(lines: readonly string[]): string {
  const pairs = pairsOf(lines)
  const cookies = cookiesOf(new Map(lines.length > 0 ? [['cookie', lines]] : []))
  const byName = Map.groupBy(pairs, ([name]) => name)
  assert.deepEqual([...cookies], [...byName].map(([name, own]) => [name, own.map(([, value]) => value)]))
  for (const line of lines) checkRemoval(line)
  const found = told(chunkedCookieOf(cookies, twinsOf(NAME)))
  assert.equal(found, expected(pairs))
  return found.split(' ')[0] ?? ''
}

/** A session as the client library writes it, then shuffled, perhaps with one chunk lost, among others. */
function checkSession({ token, more, encoding, order, lost, stray }: Session): string {
  const json = JSON.stringify({ access_token: token, refresh_token: 'r', user: { name: more } })
  const written = createChunks(NAME, encoding === 'raw' ? json : `base64-${Buffer.from(json).toString('base64url')}`, 180)
  const kept = written.filter((_chunk, index) => lost === undefined || index !== lost % written.length)
  const turned = kept.map((_chunk, index) => kept[(index + order) % kept.length]!)
  const line = [...turned.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`), ...stray].join('; ')
  const found = supabaseCookie(cookiesOf(new Map([['cookie', [line]]])), NAME)
  if (lost !== undefined || written.length > 10) assert.ok(found === undefined || found.kind === 'malformed', 'a session without all of its parts')
  else assert.equal(found?.kind === 'credential' ? found.value : found?.kind, token)
  return lost !== undefined ? 'lost' : found?.kind ?? 'nothing'
}

const check = ({ lines, session }: Input): string[] => [checkLines(lines), `session ${checkSession(session)}`]

const name = fc.constantFrom('s', 's.0', 's.1', 's.2', 's.00', 's.10', '__Secure-s', '__Secure-s.0', 's-evil', 's.', 's.x', 'S', 't', 't.0', '$Version', ' s', 's ', '"s"', '')
const value = fc.constantFrom('a', 'b', '', 'base64-e30', '"a', 'b"', '"s=1"', 'a=b', ' a ', '%7B%7D', 'a,b', '\xe9', '\xa0', 'x'.repeat(40), 'x'.repeat(17_000))
const pair = fc.tuple(name, fc.constantFrom('=', '=', '=', '=', '', ' = '), value).map((parts) => parts.join(''))
/** Chunks that mostly belong together. */
const chunks = fc.tuple(fc.constantFrom('s', 's', '__Secure-s'), fc.nat(11), fc.boolean()).map(([own, count, turned]) => {
  const all = Array.from({ length: count }, (_none, index) => `${own}.${index}=part${index}`)
  return (turned ? all.toReversed() : all).join('; ')
})
const line = perhapsMutated(fc.oneof(fc.array(pair, { maxLength: 5 }).chain((pairs) => fc.constantFrom('; ', ';', ' ;\t').map((comma) => pairs.join(comma))), chunks), [';', '=', ' ', '.', '0', '"', 's', '\t', '\xa0'])
const session = fc.record({
  token: fc.constantFrom('e30.e30.c2ln', 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl'),
  more: fc.oneof({ weight: 3, arbitrary: fc.constantFrom('', 'a', 'é'.repeat(40), '😀'.repeat(60), '"\\%20;=, ', 'x'.repeat(400)) }, { weight: 1, arbitrary: fc.string({ unit: 'grapheme-composite', maxLength: 30 }) }),
  encoding: fc.constantFrom('base64url' as const, 'raw' as const),
  order: fc.nat(9),
  lost: fc.option(fc.nat(9), { nil: undefined, freq: 3 }),
  stray: fc.array(fc.constantFrom('s-evil=1', 's.x=1', 'other=s.0', 's.9=', '$Version=1', 'sb=2'), { maxLength: 2 }),
})

export const cookies = fuzzTarget<Input>({
  name: 'cookies',
  subject: '`Cookie` lines with chunked session cookies of NextAuth and Supabase: repeated, out of order, with gaps, among look-alikes',
  oracle: 'a second reader; the definition of a chunked cookie written as one; sessions written by `@supabase/ssr` give their token and no other; removal takes just what it says',
  where: 'in process',
  verdicts: ['nothing', 'value', 'ambiguous', 'malformed', 'session credential', 'session lost', 'session malformed'],
  batch: 20_000,
  weight: 12,
  open: () => ({ inputs: fc.record({ lines: fc.array(line, { maxLength: 2 }), session }), check }),
})
