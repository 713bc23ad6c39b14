import assert from 'node:assert/strict'
import { createHmac, createSecretKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import * as fc from 'fast-check'
import { createLocalJWKSet, type JWK, jwtVerify } from 'jose'
import { createJwtAuthenticator, type JwtIssuer, type VerifiedJwt } from '../../../src/authenticators/jwt.ts'
import type { SigningKeys } from '../../../src/authenticators/jwt-signature.ts'
import { readKeySet } from '../../../src/authenticators/key-set.ts'
import { createVerificationCache } from '../../../src/authenticators/verification-cache.ts'
import { SILENT } from '../../../src/model/event.ts'
import type { Authenticator, Verification } from '../../../src/model/ports.ts'
import { fuzzTarget } from '../fuzz-target.ts'

const NOW = 1_800_000_000_000
const SECONDS = NOW / 1_000
const [ISSUER, SHARED] = ['https://idp.test', 'https://shared.test']

interface Pair { readonly alg: string; readonly kid: string; readonly jwk: JWK; readonly pem: string; readonly sign: (input: string) => Buffer }

function pairOf(alg: string, kid: string, { privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }): Pair {
  return { alg, kid, jwk: { ...(publicKey.export({ format: 'jwk' }) as JWK), kid, alg, use: 'sig' }, pem: publicKey.export({ format: 'pem', type: 'spki' }).toString(), sign: (input) => sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }) }
}

const b64 = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

type Claims = Readonly<Record<string, unknown>>

/** How a token is made, before anybody changes its text. */
interface Recipe {
  readonly signer: 'ec' | 'ed' | 'shared' | 'stranger'
  readonly claims: Claims
  readonly header: Claims
  /** Written into the text of the payload, as it stands. */
  readonly inject: string
  readonly trick: 'none' | 'none' | 'alg none' | 'public key as secret' | 'other payload' | 'other header' | 'no signature' | 'signature of another' | 'padded' | 'own jwk'
  readonly edit: ((text: string) => string) | undefined
}

interface Made { readonly text: string; readonly signed: string; readonly payload: string }

interface Site { readonly authenticator: Authenticator; readonly ec: Pair; readonly ed: Pair; readonly stranger: Pair; readonly secret: Buffer; readonly good: readonly string[]; readonly jwks: ReturnType<typeof createLocalJWKSet> }

function make({ signer, claims, header, inject, trick }: Recipe, { ec, ed, stranger, secret, good }: Site): Made {
  const pair = { ec, ed, stranger, shared: undefined }[signer]
  const payload = inject === '' ? JSON.stringify(claims) : `${JSON.stringify(claims).slice(0, -1)},${inject}}`
  const signature = (input: string): string => (pair ? pair.sign(input) : createHmac('sha256', secret).update(input).digest()).toString('base64url')
  const head = b64({ alg: pair?.alg ?? 'HS256', ...(pair && { kid: signer === 'stranger' ? ec.kid : pair.kid }), ...header })
  const signed = `${head}.${b64(payload)}`
  const mac = (input: string): string => createHmac('sha256', ec.pem).update(input).digest('base64url')
  const other = good[0] ?? ''
  const [otherHead = '', otherPayload = '', otherSignature = ''] = other.split('.')
  switch (trick) {
    case 'alg none':
      return { signed, payload, text: `${b64({ alg: 'none', kid: ec.kid })}.${b64(payload)}.` }
    case 'public key as secret': {
      const input = `${b64({ alg: 'HS256', kid: ec.kid })}.${b64(payload)}`
      return { signed, payload, text: `${input}.${mac(input)}` }
    }
    case 'other payload':
      return { signed, payload, text: `${head}.${otherPayload}.${signature(signed)}` }
    case 'other header':
      return { signed, payload, text: `${otherHead}.${b64(payload)}.${signature(signed)}` }
    case 'no signature':
      return { signed, payload, text: `${signed}.` }
    case 'signature of another':
      return { signed, payload, text: `${signed}.${otherSignature}` }
    case 'padded':
      return { signed, payload, text: `${signed}.${signature(signed)}=` }
    case 'own jwk': {
      const input = `${b64({ alg: stranger.alg, jwk: stranger.jwk, kid: stranger.kid })}.${b64(payload)}`
      return { signed, payload, text: `${input}.${stranger.sign(input).toString('base64url')}` }
    }
    case 'none':
      return { signed, payload, text: `${signed}.${signature(signed)}` }
  }
}

const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && Math.abs(value) <= 8.64e12

/** A secret has no name; of the keys, the one that signed must be named. */
const isKid = (signer: Recipe['signer'], kid: unknown): boolean => kid === undefined || (signer === 'shared' ? typeof kid === 'string' : signer === 'ed' && kid === 'ed-1')

/** What the claims and the header of a good signature must say, in the words of the documentation. */
function isMeant({ signer, claims, header, inject }: Recipe): boolean {
  const { iss, aud, exp, nbf, iat, sub, typ, cnf, token_use: use } = claims
  const wanted = signer === 'shared' ? SHARED : ISSUER
  const audience = Array.isArray(aud) ? aud : [aud]
  const late = (value: unknown): boolean => value === undefined || (isTime(value) && value <= SECONDS + 5)
  const kind = header['typ'] === undefined || (typeof header['typ'] === 'string' && /^(application\/)?(jwt|at\+jwt)$/i.test(header['typ']))
  return iss === wanted && audience.every((each) => typeof each === 'string') && audience.includes('api') && isTime(exp) && SECONDS < exp + 5 && late(nbf) && late(iat)
    && typeof sub === 'string' && sub.length > 0 && sub.length <= 255 && sub.trim() === sub && sub.isWellFormed() && !/[\p{Cc}\u2028\u2029]/u.test(sub) && sub !== 'null'
    && kind && !['Refresh', 'ID'].includes(String(typ)) && cnf === undefined && use !== 'id' && claims['events'] === undefined
    && header['crit'] === undefined && header['b64'] === undefined && (header['alg'] === undefined || (signer === 'shared' && header['alg'] === 'HS256')) && isKid(signer, header['kid']) && inject === ''
}

async function check(recipe: Recipe, site: Site): Promise<string> {
  const made = make(recipe, site)
  const text = recipe.edit ? recipe.edit(made.text) : made.text
  const verification: Verification = await site.authenticator.verify({ kind: 'credential', value: text, locations: [{ kind: 'header', name: 'authorization' }] }, NOW)
  assert.notEqual(verification.kind, 'unavailable', 'the token decides, not the moment')
  const touched = text !== made.text || recipe.trick !== 'none'
  const meant = !touched && recipe.signer !== 'stranger' && isMeant(recipe)
  if (meant) assert.equal(verification.kind, 'authenticated', JSON.stringify(verification))
  if (verification.kind !== 'authenticated') return touched ? 'touched, refused' : 'refused'
  // A token of ours that came unchanged out of all of this is as good as any.
  if (site.good.includes(text)) return 'accepted'
  // ECDSA has a second signature for each, of the same words by the same key: nothing but those words is believed.
  assert.ok(text.startsWith(`${made.signed}.`) && recipe.signer !== 'stranger' && isMeant(recipe), `accepted: ${text}`)
  assert.equal(verification.principal.kind === 'identified' && verification.principal.subject, recipe.claims['sub'])
  if (recipe.signer !== 'shared') await jwtVerify(text, site.jwks, { issuer: ISSUER, audience: 'api', clockTolerance: 5, currentDate: new Date(NOW) })
  return 'accepted'
}

function authenticatorOf(keys: SigningKeys, secret: Buffer): Authenticator {
  const issuer = (name: string, algorithms: readonly string[], from: SigningKeys): JwtIssuer => ({ issuers: [name], audience: ['api'], constraints: [], algorithms, keys: from })
  const cache = createVerificationCache<VerifiedJwt>({ authenticatorId: 'jwt', ttlMs: 60_000, maxEntries: 1_000 })
  return createJwtAuthenticator({
    id: 'jwt', realm: 'api', forwardCredential: 'strip', carriers: [{ kind: 'bearer', scheme: 'required' }],
    issuers: [issuer(ISSUER, ['ES256', 'EdDSA'], keys), issuer(SHARED, ['HS256'], { kind: 'secrets', secrets: [createSecretKey(secret)] })],
    typ: 'deny_id_token', clockToleranceMs: 5_000, maxTokenLength: 8_192, requiredClaims: [], map: { subject: ['/sub'], scopes: ['/scope'], roles: ['/roles'], email: ['/email'] },
  }, { observer: SILENT, cache })
}

function openSite(): Site {
  const [ec, ed, stranger] = [pairOf('ES256', 'ec-1', generateKeyPairSync('ec', { namedCurve: 'P-256' })), pairOf('EdDSA', 'ed-1', generateKeyPairSync('ed25519')), pairOf('ES256', 'ec-2', generateKeyPairSync('ec', { namedCurve: 'P-256' }))]
  const document = { keys: [ec.jwk, ed.jwk] }
  const set = readKeySet(document)
  const nothing = (): undefined => undefined
  const keys: SigningKeys = { kind: 'source', source: { id: 'idp', current: () => set, keys: () => set, refetched: () => set, ready: async () => undefined, state: () => ({ keys: set.size }), close: nothing } }
  const secret = randomBytes(32)
  const input = `${b64({ alg: 'ES256', kid: ec.kid })}.${b64({ iss: ISSUER, aud: 'api', sub: 'alice', exp: SECONDS + 600 })}`
  return { authenticator: authenticatorOf(keys, secret), ec, ed, stranger, secret, jwks: createLocalJWKSet(document), good: [`${input}.${ec.sign(input).toString('base64url')}`] }
}

const odd = fc.constantFrom<unknown>(null, '', 'null', ' alice', 'a\nb', '\ud800', 'a'.repeat(256), 0, true, [], ['alice'], {}, 'Алиса')
const usually = <T>(value: fc.Arbitrary<T>, other: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.oneof({ weight: 12, arbitrary: value }, { weight: 1, arbitrary: other })
const time = (from: number, to: number): fc.Arbitrary<unknown> => usually(fc.integer({ min: SECONDS + from, max: SECONDS + to }), fc.constantFrom<unknown>(undefined, null, String(SECONDS + 60), -1, 0, 1e300, Number.MAX_SAFE_INTEGER, SECONDS - 5, SECONDS - 4, SECONDS + 0.5, []))
const claims = fc.record({
  iss: usually(fc.constant('right'), fc.constantFrom<unknown>(ISSUER, SHARED, [ISSUER], `${ISSUER}/`, 'https://IDP.test', null, undefined, {})),
  aud: usually(fc.constantFrom<unknown>('api', ['api'], ['other', 'api']), fc.constantFrom<unknown>('other', 'API', ['other'], ['api', 1], [], null, undefined, { api: true }, 'api ')),
  sub: usually(fc.constantFrom('alice', 'bob', 'user|1', '名前'), odd),
  exp: time(-30, 600),
  nbf: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: time(-600, 20) }),
  iat: fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: time(-600, 20) }),
  more: usually(fc.constant({}), fc.constantFrom<Claims>({ cnf: {} }, { typ: 'Refresh' }, { typ: 'ID' }, { token_use: 'id' }, { events: {} }, { scope: 'a b' }, { __proto__x: 1 }, { roles: { admin: {} } })),
})
const header = usually(fc.constant<Claims>({}), fc.constantFrom<Claims>({ typ: 'JWT' }, { typ: 'at+jwt' }, { typ: 'logout+jwt' }, { typ: 1 }, { crit: ['x'] }, { crit: [] }, { b64: false }, { kid: 'none' }, { kid: ['ec-1'] }, { kid: '../../etc/passwd' }, { alg: 'HS256' }, { alg: 'es256' }, { alg: ['ES256'] }, { jku: 'https://evil.test' }, { x5u: 'https://evil.test' }, { zip: 'DEF' }, { cty: 'JWT' }, { kid: 'ed-1' })) as fc.Arbitrary<Claims>
const inject = usually(fc.constant(''), fc.constantFrom('"sub":"root"', '"s\\u0075b":"root"', '"aud":"api"', '"__proto__":{"sub":"root"}', '"exp":9999999999', '"x":'.concat('['.repeat(40), ']'.repeat(40)))) as fc.Arbitrary<string>

const CHARACTERS = ['.', '=', '-', '_', 'A', 'w', ' ', '\n', '+', '/', '%', '\0', '\xe9']
/** Kept as a function, since the text is only known when its keys are; the numbers decide. */
const edit = fc.option(fc.tuple(fc.nat(4_095), fc.constantFrom('drop', 'set', 'double', 'swap', 'front', 'end', 'dots'), fc.constantFrom(...CHARACTERS)), { freq: 2, nil: undefined }).map((chosen) => chosen && Object.assign((text: string): string => {
  const [place, what, character] = chosen
  const at = place % text.length
  switch (what) {
    case 'drop':
      return text.slice(0, at) + text.slice(at + 1)
    case 'set':
      return text.slice(0, at) + character + text.slice(at + 1)
    case 'double':
      return text.slice(0, at) + text.slice(at, at + 1) + text.slice(at)
    case 'swap':
      return text.slice(0, at) + text.slice(at + 1, at + 2) + text.slice(at, at + 1) + text.slice(at + 2)
    case 'front':
      return character + text
    case 'end':
      return text + character
    default:
      return text.replaceAll('.', '..')
  }
}, { [fc.toStringMethod]: () => JSON.stringify(chosen) }))

const recipes: fc.Arbitrary<Recipe> = fc.record({
  signer: fc.constantFrom('ec', 'ec', 'ed', 'ed', 'shared', 'shared', 'stranger'),
  claims, header, inject,
  trick: fc.oneof({ weight: 6, arbitrary: fc.constant('none' as const) }, { weight: 3, arbitrary: fc.constantFrom('alg none', 'public key as secret', 'other payload', 'other header', 'no signature', 'signature of another', 'padded', 'own jwk') }),
  edit,
}).map(({ claims: { more, ...base }, signer, inject: added, ...rest }) => ({
  ...rest,
  signer,
  // A member that stands nowhere else is not one that stands twice.
  inject: (added.startsWith('"aud') && base.aud === undefined) || (added.startsWith('"exp') && base.exp === undefined) ? '' : added,
  claims: { ...base, ...(more as Claims), iss: base.iss === 'right' ? (signer === 'shared' ? SHARED : ISSUER) : base.iss },
}) as Recipe)

export const jwts = fuzzTarget<Recipe>({
  name: 'jwts',
  subject: 'tokens of four signers with odd claims and headers, eight classic tricks (`none`, the public key as a secret, parts of others, …) and changes of their text',
  oracle: 'accepted is what was signed by a key of its issuer, word for word, and means what the documentation wants; that is always accepted, and by `jose` too',
  where: 'in process',
  verdicts: ['accepted', 'refused', 'touched, refused'],
  batch: 10_000,
  weight: 2,
  asynchronous: true,
  open: () => {
    const site = openSite()
    return { inputs: recipes, check: (recipe) => check(recipe, site) }
  },
})
