import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import * as fc from 'fast-check'
import { createLocalJWKSet, type JSONWebKeySet } from 'jose'
import { createIntrospectionAuthenticator } from '../../../src/authenticators/introspection.ts'
import { type KeySet, KeySetError, readKeySet } from '../../../src/authenticators/key-set.ts'
import { createVerdictCache } from '../../../src/authenticators/verdict-cache.ts'
import { SILENT } from '../../../src/model/event.ts'
import { fuzzTarget } from '../fuzz-target.ts'

type Json = Readonly<Record<string, unknown>>
type Input = { readonly kind: 'keys'; readonly document: unknown } | { readonly kind: 'introspection'; readonly response: Json }

const jwkOf = (pair: { publicKey: { export: (options: { format: 'jwk' }) => unknown } }, more: object): Json => ({ ...(pair.publicKey.export({ format: 'jwk' }) as object), ...more })
const GOOD: readonly Json[] = [
  jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }), { kid: 'ec', alg: 'ES256', use: 'sig' }), jwkOf(generateKeyPairSync('ed25519'), { kid: 'ed', alg: 'EdDSA' }), jwkOf(generateKeyPairSync('rsa', { modulusLength: 2_048 }), { kid: 'rsa', alg: 'RS256', key_ops: ['verify'] }),
  jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }), { kid: 'ec' }),
]
const BAD: readonly unknown[] = [jwkOf(generateKeyPairSync('rsa', { modulusLength: 1_024 }), { kid: 'small' }), { kty: 'oct', k: 'c2VjcmV0', kid: 'oct', alg: 'HS256' }, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), jwkOf(generateKeyPairSync('x25519'), {}), null, 'x', 1, [], {}, { kty: 'EC' }, { kty: '__proto__' }]

/** Of the keys in use none is secret, private, weak or of two owners; each works. */
async function checkKeys(document: unknown): Promise<string> {
  let set: KeySet
  try {
    set = readKeySet(document)
  } catch (error) {
    assert.ok(error instanceof KeySetError, String(error))
    assert.ok(!(typeof document === 'object' && document !== null && Array.isArray((document as { keys?: unknown }).keys) && (document as { keys: unknown[] }).keys.length <= 50))
    return 'no key set'
  }
  // It was read, so it is a key set.
  const written = (document as { keys: readonly unknown[] }).keys
  assert.equal(set.size + set.dropped.length, written.length)
  const sound = written.filter((key) => GOOD.some((good) => JSON.stringify(good) === JSON.stringify(key)))
  const kids = sound.map((key) => (key as { kid?: string }).kid)
  const single = kids.filter((kid) => written.filter((key) => typeof key === 'object' && key !== null && (key as { kid?: unknown }).kid === kid).length === 1)
  for (const kid of single) assert.ok(set.thumbprints.has(kid ?? ''), `the good key ${kid} is not used`)
  for (const kid of set.thumbprints.keys()) {
    const owners = written.filter((key) => typeof key === 'object' && key !== null && (key as Json)['kid'] === kid) as Json[]
    const usable = owners.filter((key) => ['RSA', 'EC', 'OKP'].includes(String(key['kty'])) && !Object.hasOwn(key, 'd') && !Object.hasOwn(key, 'k') && (key['use'] === undefined || key['use'] === 'sig'))
    assert.ok(usable.length > 0, `a key ${kid} in use that may not be`)
    const [jwk] = usable
    const alg = String(jwk?.['alg'] ?? { RSA: 'RS256', EC: { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' }[String(jwk?.['crv'])] ?? '', OKP: 'EdDSA' }[String(jwk?.['kty'])])
    if (usable.length === 1) await createLocalJWKSet({ keys: usable } as unknown as JSONWebKeySet)({ alg, kid }).catch((error: unknown) => assert.fail(`jose does not take the key ${kid}: ${String(error)}`))
  }
  return set.size > 0 ? 'keys' : 'no keys'
}

const NOW = 1_800_000_000_000
const [SECONDS, AUDIENCE, ISSUER] = [NOW / 1_000, 'api', 'https://idp.test']

/** Active means `true`, for us, now, unbound, somebody. */
function isMeant({ active, aud, iss, exp, nbf, cnf, sub }: Json): boolean {
  const audience = (Array.isArray(aud) ? aud : [aud]).filter((each) => typeof each === 'string')
  const isTime = (value: unknown): boolean => value === undefined || (typeof value === 'number' && Number.isFinite(value))
  return active === true && audience.includes(AUDIENCE) && (iss === undefined || iss === ISSUER) && isTime(exp) && isTime(nbf) && (exp === undefined || Number(exp) + 5 > SECONDS) && (nbf === undefined || Number(nbf) - 5 <= SECONDS)
    && cnf === undefined && typeof sub === 'string' && sub.length > 0 && sub.length <= 255 && sub === sub.trim() && sub.isWellFormed() && !/[\p{Cc}\u2028\u2029]/u.test(sub) && !['null', 'undefined'].includes(sub)
}

async function checkIntrospection(response: Json): Promise<string> {
  const authenticator = createIntrospectionAuthenticator({
    id: 'oauth', carriers: [{ kind: 'bearer', scheme: 'required' }], introspect: async () => ({ kind: 'introspected', response }), issuers: [ISSUER], audience: [AUDIENCE], claims: new Map(),
    cache: createVerdictCache({ name: 'introspection', ttlMs: 30_000, negativeTtlMs: 5_000, maxEntries: 10, observer: SILENT }),
    pointers: { subject: ['/sub'], email: ['/email'], roles: ['/roles'], scopes: ['/scope'] }, clockToleranceMs: 5_000, maxTokenLength: 4_096, challenge: { scheme: 'Bearer', parameters: [] }, forwardCredential: 'keep',
  })
  const verify = () => authenticator.verify({ kind: 'credential', value: 'opaque', locations: [{ kind: 'header', name: 'authorization' }] }, NOW)
  // The second answer comes from what was kept, and says the same.
  const [first, second] = [await verify(), await verify()]
  assert.equal(first.kind, second.kind)
  assert.equal(first.kind === 'authenticated', isMeant(response), JSON.stringify(first))
  if (first.kind === 'authenticated') assert.equal(first.principal.kind === 'identified' && first.principal.subject, response['sub'])
  return first.kind === 'authenticated' ? 'active' : 'inactive'
}

const check = (input: Input): Promise<string> => (input.kind === 'keys' ? checkKeys(input.document) : checkIntrospection(input.response))

const odd = fc.constantFrom<unknown>(null, '', 0, 1, true, 'true', [], {}, 'a'.repeat(300), 'HS256', 'enc', ['sign'], -1, 'AQ', '\ud800', Number.POSITIVE_INFINITY)
const member = fc.constantFrom('kty', 'crv', 'x', 'y', 'n', 'e', 'kid', 'alg', 'use', 'key_ops', 'd', 'k', '__proto__')
const key = fc.oneof({ weight: 4, arbitrary: fc.constantFrom<unknown>(...GOOD) }, { weight: 2, arbitrary: fc.constantFrom(...BAD) }, { weight: 4, arbitrary: fc.tuple(fc.constantFrom(...GOOD), member, odd).map(([base, name, value]) => Object.fromEntries([...Object.entries(base).filter(([other]) => other !== name), ...(value === '' ? [] : [[name, value]])])) })
const documents = fc.oneof({ weight: 12, arbitrary: fc.array(key, { maxLength: 5 }).map((keys) => ({ keys })) }, { weight: 1, arbitrary: fc.constantFrom<unknown>(null, [], {}, 'x', 1, { keys: {} }, { keys: null }, { keys: Array.from({ length: 51 }, () => GOOD[0]) }, { keys: [[]] }) })
const usually = (value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.oneof({ weight: 9, arbitrary: value }, { weight: 1, arbitrary: odd })
const responses = fc.record({ active: usually(fc.constant(true)), aud: usually(fc.constantFrom<unknown>('api', ['x', 'api'], ['api', 1])), sub: usually(fc.constantFrom('alice', '名前', ' bob', 'null', 'a\nb')), exp: usually(fc.constantFrom(SECONDS + 60, SECONDS - 4, SECONDS - 6, undefined, SECONDS - 5)), nbf: usually(fc.constantFrom(SECONDS - 60, SECONDS + 4, SECONDS + 6, undefined)), iss: usually(fc.constantFrom(ISSUER, undefined, `${ISSUER}/`)) }, { requiredKeys: ['active'] })
const extra = fc.oneof({ weight: 8, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: fc.constantFrom({ cnf: {} }, { scope: ['a'] }, { roles: 1 }, { email: 'a\r\nb' }, JSON.parse('{"__proto__": {"sub": "root"}}') as Json) })

export const issuerAnswers = fuzzTarget<Input>({
  name: 'issuer-answers',
  subject: 'JWK sets with members changed, private, symmetric, weak and double keys; introspection answers with odd members',
  oracle: 'a set gives a `KeySetError` or all its good keys and no other, and `jose` takes each of them; a token is active when the documentation says so, at once and from the cache',
  where: 'in process',
  verdicts: ['keys', 'no keys', 'no key set', 'active', 'inactive'],
  batch: 10_000,
  weight: 2,
  asynchronous: true,
  open: () => ({ inputs: fc.oneof(fc.record({ kind: fc.constant('keys' as const), document: documents }), fc.record({ kind: fc.constant('introspection' as const), response: fc.tuple(responses, extra).map(([base, more]) => ({ ...base, ...more })) })) as fc.Arbitrary<Input>, check }),
})
