import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { createApiKeyAuthenticator } from '../../../src/authenticators/api-key.ts'
import { createStaticKeyCheck, keysByDigest } from '../../../src/authenticators/static-keys.ts'
import { checksumOf, labelOf, parseKey } from '../../../src/keys/key-format.ts'
import type { Extraction } from '../../../src/model/credential.ts'
import type { HeaderMap } from '../../../src/model/request.ts'
import { request } from '../../support/described.ts'
import { fuzzTarget } from '../fuzz-target.ts'
import { perhapsMutated, soup } from '../inputs.ts'

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** CRC-32 bit by bit, as ISO 3309 has it. */
function crc32(text: string): number {
  let crc = 0xffff_ffff
  for (const byte of Buffer.from(text, 'latin1')) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1
  }
  return (crc ^ 0xffff_ffff) >>> 0
}

/** The checksum's digits the long way round: their value is counted back. */
const valueOf = (digits: string): number => Array.from(digits).reduce((sum, digit) => sum * 62 + DIGITS.indexOf(digit), 0)

/** From the right: 6 digits, 43 digits, an underscore, and words joined by underscores. */
function isKey(text: string): boolean {
  const [digits, body, rest] = [text.slice(-6), text.slice(-49, -6), text.slice(0, -49)]
  if (text.length > 512 || text.length < 51 || !/^[0-9A-Za-z]+$/.test(digits + body) || !rest.endsWith('_')) return false
  const words = rest.slice(0, -1).split('_')
  return words.every((word) => /^[a-z0-9]+$/.test(word)) && /^[a-z]/.test(rest) && valueOf(digits) === crc32(body)
}

const KEYS = ['acme_live', 'acme_test'].map((prefix) => {
  const secret = 'Zk3'.repeat(15).slice(0, 43)
  return `${prefix}_${secret}${checksumOf(secret)}`
})
const PLAIN = 'plain-key-0123456789=='

const authenticator = createApiKeyAuthenticator({
  id: 'key', realm: 'api', forwardCredential: 'strip', prefixes: ['acme_', 'plain-'], minLength: 16,
  carriers: [{ kind: 'header', name: 'x-api-key' }, { kind: 'bearer', scheme: 'required' }, { kind: 'cookie', name: 'key' }],
  checks: [createStaticKeyCheck({ authenticatorId: 'key', sources: [() => keysByDigest([...KEYS, PLAIN].map((key) => ({ id: key.slice(0, 12), subject: `owner of ${key.slice(0, 10)}`, digest: createHash('sha256').update(key).digest('hex'), scopes: [], roles: [], assertSubject: false })))] })],
})

interface Input { readonly header: readonly string[]; readonly authorization: readonly string[]; readonly cookie: readonly string[] }

type Held = string | undefined | 'foreign' | { readonly bad: 'ambiguous' | 'malformed' }

const stripped = (line: string): string => line.replace(/^[ \t]+/, '')
const backwards = (line: string): string => Array.from(line).reverse().join('')
/** From the front, turned round, and from the front again. */
const trimmed = (line: string): string => backwards(stripped(backwards(stripped(line))))

/** One carrier, by its grammar. */
function sole(lines: readonly string[]): Held | { readonly value: string } {
  if (lines.length > 1) return { bad: 'ambiguous' }
  const value = trimmed(lines[0] ?? '')
  return value === '' ? undefined : /^[!-~]+$/.test(value) ? { value } : { bad: 'malformed' }
}

function bearer(lines: readonly string[]): ReturnType<typeof sole> {
  if (lines.length > 1) return { bad: 'ambiguous' }
  const line = trimmed(lines[0] ?? '')
  const [, scheme = '', blank = '', rest = ''] = /^([^ \t\n\v\f\r\u00a0,]*)([ \t\n\v\f\r\u00a0,]?)([^]*)$/.exec(line) ?? []
  if (scheme.toLowerCase() !== 'bearer') return scheme === '' && blank === '' ? undefined : 'foreign'
  if (blank === '') return undefined
  const value = rest.replace(/^ */, '')
  return blank === ' ' && /^[!-~]+$/.test(value) ? { value } : { bad: 'malformed' }
}

const cookies = (lines: readonly string[]): ReturnType<typeof sole> => sole(lines.flatMap((line) => line.split(';')).flatMap((pair) => {
  const [, value] = /^[ \t]*key=([^]*)$/.exec(pair) ?? []
  return value === undefined ? [] : [backwards(stripped(backwards(value)))]
}))

/** The first repeated carrier, else the first with something of ours, else the first with something of others. */
function expected({ header, authorization, cookie }: Input): string {
  const held = [sole(header), bearer(authorization), cookies(cookie)].map((found) => (typeof found === 'object' && 'value' in found && !/^(acme_|plain-)/.test(found.value) ? 'foreign' : found))
  if (held.some((found) => typeof found === 'object' && 'bad' in found && found.bad === 'ambiguous')) return 'ambiguous'
  const own = held.find((found) => typeof found === 'object')
  if (own === undefined) return held.includes('foreign') ? 'foreign' : 'missing'
  return 'bad' in own ? own.bad : `found ${own.value}`
}

const told = (extraction: Extraction): string => (extraction === undefined ? 'missing' : extraction.kind === 'credential' ? `found ${extraction.value}` : extraction.kind)

function checkFormat(text: string): void {
  const parts = parseKey(text)
  assert.equal(parts !== undefined, isKey(text), text)
  if (parts) assert.equal(`${parts.prefix}_${parts.secret}${parts.checksum}`, text)
  const { last4, prefix } = labelOf(text)
  assert.ok(last4.length <= 4 && (prefix === '' || text.startsWith(`${prefix}_`)))
}

function check(input: Input): string {
  for (const text of [...input.header, ...input.authorization]) checkFormat(text)
  const headers: HeaderMap = new Map([['x-api-key', input.header], ['authorization', input.authorization], ['cookie', input.cookie]].flatMap(([name, lines]) => ((lines as string[]).length > 0 ? [[name as string, lines as string[]] as const] : [])))
  const found = authenticator.extract({ ...request(), headers })
  assert.equal(told(found), expected(input))
  if (found?.kind !== 'credential') return found?.kind ?? 'missing'
  const verification = authenticator.verify(found, 0)
  assert.ok('kind' in verification, 'static keys are answered at once')
  const known = [...KEYS, PLAIN].includes(found.value)
  assert.equal(verification.kind === 'authenticated', known, found.value)
  if (verification.kind === 'authenticated') assert.equal(verification.principal.kind === 'identified' && verification.principal.subject, `owner of ${found.value.slice(0, 10)}`)
  return known ? 'authenticated' : 'rejected'
}

const key = fc.constantFrom(...KEYS, PLAIN)
const CHARACTERS = ['_', 'a', 'A', '0', ' ', '\t', '=', ';', ',', '\0', '\xe9', '-', '\xa0']
const value = fc.oneof({ weight: 6, arbitrary: perhapsMutated(key, CHARACTERS) }, { weight: 1, arbitrary: soup(['acme_live_', 'plain-', 'xyz', ' ', '', '\t', ',', '0'.repeat(49)], 4) })
const some = (line: fc.Arbitrary<string>, most: number): fc.Arbitrary<string[]> => fc.oneof({ weight: 3, arbitrary: fc.constant<string[]>([]) }, { weight: 4, arbitrary: line.map((text) => [text]) }, { weight: 1, arbitrary: fc.array(line, { maxLength: most }) })
const scheme = fc.constantFrom('Bearer ', 'bearer ', 'Bearer  ', 'BEARER ', 'Bearer\t', 'Bearer', 'Basic ', '', 'Bearer, ', ' Bearer ', 'Bearer\xa0')
const pair = fc.tuple(fc.constantFrom('key=', 'key=', ' key=', 'key =', 'KEY=', 'other=', 'key', '\tkey=', 'x; key='), value).map((parts) => parts.join(''))

export const apiKeys = fuzzTarget<Input>({
  name: 'api-keys',
  subject: 'API keys in a header, as a bearer token and in a cookie, alone, repeated, together; good keys with up to three changes',
  oracle: 'a second reader of each carrier; a key is known when it is equal, and then whose it is; format and CRC-32 the long way round',
  where: 'in process',
  verdicts: ['authenticated', 'rejected', 'missing', 'foreign', 'ambiguous', 'malformed'],
  batch: 50_000,
  weight: 12,
  open: () => ({ inputs: fc.record({ header: some(value, 2), authorization: some(fc.tuple(scheme, value).map((parts) => parts.join('')), 2), cookie: some(fc.array(pair, { maxLength: 3 }).map((pairs) => pairs.join(';')), 2) }), check }),
})
