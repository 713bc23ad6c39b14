import type { DurationMs, EpochMs, MaybePromise } from '../base/time.ts'
import type { Credential, Reading } from '../model/credential.ts'
import type { Evidence } from '../model/denial.ts'
import type { Observer } from '../model/event.ts'
import type { Authenticator, Verification } from '../model/ports.ts'
import type { IdentifiedPrincipal } from '../model/principal.ts'
import type { RejectionReason } from '../model/reason.ts'
import { carrierOf, challengeOf, locationsOf, type Carrier } from './carriers.ts'
import { identityClaimsOf, type IdentityPointers } from './identity-claims.ts'
import { claimOf, expiryOf, judgeClaims, shown, type ClaimConstraint, type ClaimRules, type TypPolicy } from './jwt-claims.ts'
import { isHeld, verifySignature, type Pin, type SigningKeys } from './jwt-signature.ts'
import { isSubject } from './subject.ts'
import { tokenExtract } from './token-extract.ts'
import { keepReading, knownReading } from './token-readings.ts'
import { lengthFault, readToken, type JsonObject, type ShapeFault, type TokenShape } from './token-shape.ts'
import type { VerificationCache, VerifiedToken } from './verification-cache.ts'

/** One trusted issuer. */
export interface JwtIssuer {
  /** Every accepted spelling of `iss`; compared exactly. */
  readonly issuers: readonly string[]
  readonly audience: readonly string[]
  readonly constraints: readonly ClaimConstraint[]
  /** Exact names; HMAC ones only together with secrets. */
  readonly algorithms: readonly string[]
  readonly keys: SigningKeys
}

export interface JwtSettings {
  readonly id: string
  readonly realm: string
  readonly forwardCredential: 'keep' | 'strip'
  readonly carriers: readonly Carrier[]
  /** No two may share a spelling of `iss`. */
  readonly issuers: readonly JwtIssuer[]
  readonly typ: TypPolicy
  readonly clockToleranceMs: DurationMs
  readonly maxAgeMs?: DurationMs | undefined
  /** Characters. */
  readonly maxTokenLength: number
  readonly requiredClaims: readonly string[]
  readonly map: IdentityPointers
}

/** A verified token and the key it hangs on. */
export interface VerifiedJwt extends VerifiedToken {
  readonly pin: Pin
  readonly keys: SigningKeys
}

export interface JwtDeps {
  readonly observer: Observer
  readonly cache: VerificationCache<VerifiedJwt>
}

type Claims = Extract<Reading, { readonly kind: 'claims' }>

interface Trusted extends JwtIssuer { readonly rules: ClaimRules }

const MAX_KID_LENGTH = 256
const MAX_ID_LENGTH = 255

const rejected = (reason: RejectionReason, evidence: Evidence): Verification => ({ kind: 'rejected', reason, evidence })

/** What `explain` shows of any token. */
const evidenceOf = ({ header, payload }: TokenShape): Evidence => ({ alg: shown(claimOf(header, 'alg')), kid: shown(claimOf(header, 'kid')), iss: shown(claimOf(payload, 'iss')), aud: shown(claimOf(payload, 'aud')) })

function issuerOf({ payload }: TokenShape): string | undefined {
  const iss = claimOf(payload, 'iss')
  return typeof iss === 'string' ? iss : undefined
}

const unreadable = ({ reason, detail }: ShapeFault): Verification => rejected(reason, { detail })

const foreign = ({ evidence: { alg, kid, iss, aud } }: Claims, expected: readonly string[]): Verification => ({ kind: 'not_applicable', reason: 'jwt_issuer_mismatch', evidence: { alg, kid, iss, aud, claim: 'iss', seen: iss, expected } })

/**
 * The answer to a token that is not ours to check, by what it says of itself. That claim is not verified: it only chooses whose keys and
 * rules a token must satisfy, and one that nobody here issued may be another authenticator's.
 */
function dismissal(reading: Reading, trusted: ReadonlyMap<string, Trusted>, names: readonly string[]): Verification | undefined {
  if (reading.kind === 'fault') return unreadable(reading)
  return reading.issuer !== undefined && trusted.has(reading.issuer) ? undefined : foreign(reading, names)
}

/** What must be right before a key is even looked for. `jku`, `x5u`, `jwk` and `x5c` are not read at all (T34). */
function headerFault({ header }: TokenShape, { algorithms }: JwtIssuer): RejectionReason | undefined {
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) return 'jwt_crit_unsupported'
  const [alg, kid] = [claimOf(header, 'alg'), claimOf(header, 'kid')]
  // Exact: `none` in no spelling is in the list.
  if (typeof alg !== 'string' || !algorithms.includes(alg)) return 'jwt_alg_not_allowed'
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KID_LENGTH)) return 'jwt_malformed'
  return undefined
}

function principalOf(payload: JsonObject, credential: Credential, { id, map }: JwtSettings): IdentifiedPrincipal | undefined {
  const { subject, ...claims } = identityClaimsOf(payload, map)
  if (!isSubject(subject)) return undefined
  const jti = claimOf(payload, 'jti')
  return {
    kind: 'identified',
    subject,
    authenticatorId: id,
    ...(isSubject(jti) && jti.length <= MAX_ID_LENGTH && { credentialId: jti }),
    expiresAt: expiryOf(payload, undefined).expiresAt,
    ...claims,
    carrier: carrierOf(credential),
    locations: credential.locations,
    attributes: payload,
  }
}

/** The remembered principal as this request brought it: the CSRF rule asks where the proof stood this time. */
function placed(principal: IdentifiedPrincipal, credential: Credential): IdentifiedPrincipal {
  const carrier = carrierOf(credential)
  return principal.carrier.kind === carrier.kind && principal.carrier.name === carrier.name ? principal : { ...principal, carrier, locations: credential.locations }
}

function trustedOf(settings: JwtSettings): ReadonlyMap<string, Trusted> {
  const { typ, clockToleranceMs, maxAgeMs, requiredClaims } = settings
  return new Map(
    settings.issuers.flatMap((issuer) => {
      const { issuers, audience, constraints } = issuer
      const rules: ClaimRules = { issuers, audience, constraints, requiredClaims, typ, clockToleranceMs, maxAgeMs }
      // Whatever the config says, a published key never checks an HMAC, and a secret never anything else (T32).
      const algorithms = issuer.algorithms.filter((alg) => alg.startsWith('HS') === (issuer.keys.kind === 'secrets'))
      return issuers.map((name): [string, Trusted] => [name, { ...issuer, algorithms, rules }])
    }),
  )
}

/**
 * Builds the authenticator of signed JWTs (RFC 7519 as RFC 8725 wants it checked): any number of issuers, each with its own keys,
 * algorithms and audience. A remembered token is answered at once, any other with a promise. Never rejects: what could not be checked
 * is `unavailable`.
 */
export function createJwtAuthenticator(settings: JwtSettings, { observer, cache }: JwtDeps): Authenticator {
  const { id, carriers, maxTokenLength, clockToleranceMs, maxAgeMs } = settings
  const trusted = trustedOf(settings)
  const names = [...trusted.keys()]

  async function checked(credential: Credential, token: TokenShape, issuer: Trusted, now: EpochMs): Promise<Verification> {
    const { issuers, audience, algorithms, rules, keys } = issuer
    const options = { algorithms: [...algorithms], issuer: [...issuers], ...(audience.length > 0 && { audience: [...audience] }), clockTolerance: clockToleranceMs / 1_000, currentDate: new Date(now) }
    const signature = await verifySignature({ text: credential.value, header: token.header, options }, keys, now)
    if (signature.kind === 'unavailable') return signature
    if (signature.kind === 'rejected') return rejected(signature.reason, evidenceOf(token))
    const fault = judgeClaims(token, rules, now) ?? (signature.claimsFault ? { reason: 'jwt_claim_invalid' as const, evidence: {} } : undefined)
    if (fault) return rejected(fault.reason, { ...evidenceOf(token), ...fault.evidence })
    const principal = principalOf(token.payload, credential, settings)
    if (!principal) return rejected('subject_invalid', { ...evidenceOf(token), claim: settings.map.subject.join(', ') })
    cache.set(credential, { principal, until: expiryOf(token.payload, maxAgeMs).until, pin: signature.pin, keys }, now)
    return { kind: 'authenticated', principal }
  }

  const remembered = (credential: Credential, now: EpochMs): IdentifiedPrincipal | undefined => {
    const entry = cache.get(credential, now)
    if (entry && isHeld(entry.pin, entry.keys, now)) return placed(entry.principal, credential)
    if (entry) cache.delete(credential)
    return undefined
  }

  /** Of many authenticators in a row every one but the last sends the same token away, again and again. */
  let last: { readonly reading: Reading; readonly answer: Verification | undefined } | undefined
  const dismissed = (reading: Reading | undefined): Verification | undefined => {
    if (!reading) return undefined
    if (last?.reading !== reading) last = { reading, answer: dismissal(reading, trusted, names) }
    return last.answer
  }

  const read = (credential: Credential, now: EpochMs): MaybePromise<Verification> => {
    const token = readToken(credential.value, maxTokenLength)
    if (token.kind === 'fault') return unreadable(keepReading(credential, token))
    const name = issuerOf(token)
    const issuer = name === undefined ? undefined : trusted.get(name)
    if (!issuer) return foreign(keepReading(credential, { kind: 'claims', issuer: name, evidence: evidenceOf(token) }), names)
    const fault = headerFault(token, issuer)
    if (fault) return rejected(fault, { ...evidenceOf(token), expected: issuer.algorithms })
    return checked(credential, token, issuer, now).catch((error: unknown): Verification => ({ kind: 'unavailable', dependency: id, cause: `the signature could not be checked: ${error instanceof Error ? error.name : 'failed'}` }))
  }

  const verify = (credential: Credential, now: EpochMs): MaybePromise<Verification> => {
    // What cannot be ours was never verified here either, and is not looked for.
    const settled = dismissed(lengthFault(credential.value, maxTokenLength) ?? credential.reading)
    const principal = settled ? undefined : remembered(credential, now)
    observer.cached('verified', principal ? 'hit' : 'miss')
    if (principal) return { kind: 'authenticated', principal }
    return settled ?? dismissed(knownReading(credential)) ?? read(credential, now)
  }

  return {
    id,
    kind: 'jwt',
    challenge: challengeOf(carriers, settings.realm),
    carriers: locationsOf(carriers),
    forwardCredential: settings.forwardCredential,
    extract: tokenExtract(carriers, maxTokenLength),
    verify,
  }
}
