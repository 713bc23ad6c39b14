import assert from 'node:assert/strict'
import { validateHeaderValue } from 'node:http'
import * as fc from 'fast-check'
import type { Challenge, Denial } from '../../../src/model/denial.ts'
import type { ServiceLimit } from '../../../src/model/quota.ts'
import { challengeLines } from '../../../src/wire/challenge.ts'
import { rateLimitFields } from '../../../src/wire/rate-limit-fields.ts'
import { policy } from '../../support/described.ts'
import { fuzzTarget } from '../fuzz-target.ts'

interface Input { readonly limits: readonly ServiceLimit[]; readonly now: number; readonly challenges: readonly Challenge[]; readonly scopes: readonly string[] }

/** A cursor over a field value; throws at the first byte that the grammar has no place for. */
function reader(text: string) {
  let at = 0
  const take = (pattern: RegExp): string => {
    const match = new RegExp(pattern.source, 'y')
    match.lastIndex = at
    const [found] = match.exec(text) ?? []
    if (found === undefined) throw new Error(`expected ${pattern} at ${at} of ${text}`)
    at += found.length
    return found
  }
  return { take, peek: () => text[at], done: () => at === text.length }
}

const unquoted = (literal: string): string => literal.slice(1, -1).replace(/\\(["\\])/g, '$1')
const STRING = /"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"/

type Item = readonly [name: string, parameters: Readonly<Record<string, number>>]

/** A list of strings with parameters that are integers (RFC 9651 section 3.1). */
function listOf(text: string): Item[] {
  const { take, peek, done } = reader(text)
  const items: Item[] = []
  for (;;) {
    const name = unquoted(take(STRING))
    const parameters: Record<string, number> = {}
    while (peek() === ';') {
      const key = take(/; *[a-z*][a-z0-9_.*-]*=/).replace(/^; */, '').slice(0, -1)
      assert.ok(!Object.hasOwn(parameters, key))
      parameters[key] = Number(take(/-?\d{1,15}/))
    }
    items.push([name, parameters])
    if (done()) return items
    take(/[ \t]*,[ \t]*/)
  }
}

/** One challenge: a scheme and auth-params, each once (RFC 9110 section 11.2). */
function challengeOf(text: string): { scheme: string; parameters: [string, string][] } {
  const { take, done } = reader(text)
  const scheme = take(/[!#$%&'*+.^_`|~0-9A-Za-z-]+/)
  const parameters: [string, string][] = []
  for (let first = true; !done(); first = false) {
    take(first ? / / : /, /)
    const name = take(/[!#$%&'*+.^_`|~0-9A-Za-z-]+=/).slice(0, -1)
    parameters.push([name, unquoted(take(STRING))])
  }
  assert.equal(new Set(parameters.map(([name]) => name)).size, parameters.length)
  return { scheme, parameters }
}

/** Text that is not ASCII is percent-encoded, and nothing else is. */
const ascii = (text: string): string => Array.from(text.toWellFormed(), (character) => (/^[ -~]$/.test(character) ? character : encodeURIComponent(character))).join('')

function checkLimits({ limits, now }: Input): void {
  const fields = new Map(rateLimitFields(limits, { ietf: true, legacy: true, reset: 'delta' }, now))
  for (const [name, value] of fields) validateHeaderValue(name, value)
  const names = [...new Set(limits.map((limit) => limit.policy.name))].map(ascii)
  const [policies, left] = ['RateLimit-Policy', 'RateLimit'].map((name) => listOf(fields.get(name) ?? ''))
  assert.deepEqual(policies?.map(([name]) => name), names)
  assert.deepEqual(left?.map(([name]) => name), names)
  for (const [index, [name, { r = -1, t = -1 }]] of (left ?? []).entries()) {
    const own = limits.filter((limit) => ascii(limit.policy.name) === name)
    const said: Readonly<Record<string, number>> = policies?.[index]?.[1] ?? {}
    const [q, w] = [said['q'] ?? 0, said['w'] ?? 0]
    assert.ok(own.some((limit) => limit.policy.quota === q && Math.max(1, Math.ceil(limit.policy.windowMs / 1_000)) === w))
    assert.ok(own.some((limit) => Math.max(0, Math.floor(limit.remaining)) === r), `${name} r=${r}`)
    assert.ok(t >= 0 && t <= w, `${name} t=${t} w=${w}`)
  }
  assert.match(fields.get('X-RateLimit-Remaining') ?? '', /^\d+$/)
}

function checkChallenges({ challenges, scopes }: Input): void {
  const denial: Denial = { kind: 'denial', code: 'scope_insufficient', required: scopes, missing: scopes, challenges }
  for (const [status, of] of [[403, denial], [401, { ...denial, code: 'credential_expired', reason: 'jwt_expired' } as Denial]] as const) {
    const lines = challengeLines(of, status, 'api')
    for (const line of lines) validateHeaderValue('www-authenticate', line)
    const read = lines.map(challengeOf)
    if (status === 401) assert.ok(read.length > 0)
    const realms = challenges.filter(({ scheme }) => scheme === 'Bearer').map(({ parameters }) => parameters.find(([name]) => name === 'realm')?.[1])
    for (const { scheme, parameters } of read) if (scheme === 'Bearer' && challenges.length > 0) assert.ok(realms.some((realm) => ascii(realm ?? '') === Object.fromEntries(parameters)['realm']))
    if (status === 403) for (const { parameters } of read) assert.equal(Object.fromEntries(parameters)['scope'], ascii(scopes.join(' ')))
  }
}

function check(input: Input): string {
  checkChallenges(input)
  if (input.limits.length === 0) return 'challenges alone'
  checkLimits(input)
  return 'limits too'
}

const text = fc.oneof({ weight: 3, arbitrary: fc.constantFrom('minute', 'per day', 'a"b', 'a\\', '\\"', 'é', '名前', 'a\r\nX: y', '\0', '', ',', ';q=1', '😀', '\ud800', '%41', 'a\tb') }, { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) })
const limit: fc.Arbitrary<ServiceLimit> = fc.record({ name: text, quota: fc.integer({ min: 1, max: 1_000_000 }), windowMs: fc.integer({ min: 1, max: 100_000_000 }), remaining: fc.oneof(fc.nat(1_000_000), fc.double({ min: 0, max: 100, noNaN: true })), resets: fc.integer({ min: -10_000, max: 200_000_000 }), exceeded: fc.boolean(), retry: fc.integer({ min: -10_000, max: 200_000_000 }), reported: fc.boolean() })
  .map(({ name, quota, windowMs, remaining, resets, exceeded, retry, reported }) => ({ policy: policy({ id: name, name, quota, windowMs, reported }), remaining, resetsAt: 1_800_000_000_000 + resets, exceeded, retryAt: 1_800_000_000_000 + retry }))
const challenge: fc.Arbitrary<Challenge> = fc.record({ scheme: fc.constantFrom('Bearer' as const, 'Bearer' as const, 'ApiKey' as const, 'Cookie' as const), parameters: text.map((realm) => [['realm', realm]] as const) })

export const emittedFields = fuzzTarget<Input>({
  name: 'emitted-fields',
  subject: 'names of policies, realms and scopes in any characters, numbers of any size, on their way into `RateLimit`, `RateLimit-Policy` and `WWW-Authenticate`',
  oracle: 'a strict parser of RFC 9651 lists and one of RFC 9110 challenges give back what went in; `http.validateHeaderValue`',
  where: 'in process',
  verdicts: ['limits too', 'challenges alone'],
  batch: 50_000,
  weight: 8,
  open: () => ({ inputs: fc.record({ limits: fc.array(limit, { maxLength: 3 }), now: fc.integer({ min: 1_799_999_000_000, max: 1_800_001_000_000 }), challenges: fc.array(challenge, { maxLength: 2 }), scopes: fc.array(text, { minLength: 1, maxLength: 2 }) }), check }),
})
