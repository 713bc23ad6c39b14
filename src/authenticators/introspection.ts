import { after } from '../base/after.ts'
import type { DurationMs, EpochMs } from '../base/time.ts'
import type { Challenge } from '../model/denial.ts'
import type { Authenticator, Verification } from '../model/ports.ts'
import { createExtract, locationsOf, type Carrier } from './carriers.ts'
import { identify } from './identify.ts'
import type { IdentityPointers } from './identity-claims.ts'
import type { Introspected } from './introspection-client.ts'
import type { Verdict, VerdictCache } from './verdict-cache.ts'

export interface IntrospectionSettings {
  readonly id: string
  readonly carriers: readonly Carrier[]
  /** Asks the issuer; see `createIntrospectionClient`. */
  readonly introspect: (token: string) => Promise<Introspected>
  readonly cache: VerdictCache
  /** Exact `iss` values; a response that names another issuer is somebody else's token. Empty: not looked at. */
  readonly issuers: readonly string[]
  /** One of these must be in `aud`. Empty: the issuer's word that the token is active here is enough. */
  readonly audience: readonly string[]
  /** Members that must have one of these values, such as `client_id`. */
  readonly claims: ReadonlyMap<string, readonly string[]>
  readonly pointers: IdentityPointers
  readonly clockToleranceMs: DurationMs
  readonly maxTokenLength: number
  readonly challenge: Challenge
  readonly forwardCredential: 'keep' | 'strip'
}

type Response = Readonly<Record<string, unknown>>

/** RFC 6750 section 2.1. Nothing else is sent anywhere: a token is a form field, not a place for surprises. */
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

const rejected = (reason: Extract<Verification, { kind: 'rejected' }>['reason'], evidence?: Extract<Verification, { kind: 'rejected' }>['evidence']): Extract<Verification, { kind: 'rejected' }> =>
  ({ kind: 'rejected', reason, ...(evidence ? { evidence } : {}) })

const texts = (value: unknown): readonly string[] => (typeof value === 'string' ? [value] : Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : [])

/** An instant in seconds, as `exp` and `nbf` have it: absent, or a finite number; anything else is refused. */
const instant = (value: unknown): EpochMs | undefined | 'invalid' => (value === undefined ? undefined : typeof value === 'number' && Number.isFinite(value) ? value * 1_000 : 'invalid')

function checkTimes(response: Response, { now, clockToleranceMs }: { now: EpochMs; clockToleranceMs: DurationMs }): Verification | undefined {
  const exp = instant(response['exp'])
  const nbf = instant(response['nbf'])
  if (exp === 'invalid' || nbf === 'invalid') return rejected('jwt_claim_invalid')
  if (exp !== undefined && exp + clockToleranceMs <= now) return rejected('token_expired')
  return nbf !== undefined && nbf - clockToleranceMs > now ? rejected('jwt_not_yet_valid') : undefined
}

function checkParties(response: Response, { issuers, audience, claims }: IntrospectionSettings): Verification | undefined {
  const { iss, aud, cnf } = response
  // A token bound to a key is worth nothing without the proof (RFC 9449 section 7.1, RFC 8705 section 3).
  if (cnf !== undefined) return rejected('token_sender_constrained')
  if (iss !== undefined && issuers.length > 0 && !(typeof iss === 'string' && issuers.includes(iss))) return rejected('jwt_issuer_mismatch', { seen: texts(iss), expected: issuers })
  if (audience.length > 0 && !texts(aud).some((entry) => audience.includes(entry))) return rejected('jwt_audience_mismatch', { seen: texts(aud), expected: audience })
  for (const [name, values] of claims) {
    const value = Object.hasOwn(response, name) ? response[name] : undefined
    if (value === undefined) return rejected('jwt_claim_missing', { claim: name })
    if (!texts(value).some((entry) => values.includes(entry))) return rejected('jwt_claim_mismatch', { claim: name, expected: values })
  }
  return undefined
}

function verdictOn(introspected: Introspected, { now, clockToleranceMs }: { now: EpochMs; clockToleranceMs: DurationMs }): Verdict {
  if (introspected.kind === 'unavailable') return introspected
  const { response } = introspected
  if (response['active'] !== true) return { kind: 'rejected', reason: 'token_inactive' }
  const exp = instant(response['exp'])
  // What is kept never outlives the token; a token already past `exp` is refused below and kept no longer than a refusal.
  return { kind: 'known', claims: response, ...(typeof exp === 'number' && exp + clockToleranceMs > now ? { expiresAt: exp + clockToleranceMs } : {}) }
}

/**
 * Opaque tokens, checked by asking their issuer (RFC 7662). `active` must be the boolean `true`; audience, times and constraints are
 * checked here on every request, also when the answer was kept, because the issuer only says whether the token exists.
 */
export function createIntrospectionAuthenticator(settings: IntrospectionSettings): Authenticator {
  const { id, carriers, cache, introspect, pointers, maxTokenLength, clockToleranceMs } = settings
  return {
    id,
    kind: 'introspection',
    challenge: settings.challenge,
    carriers: locationsOf(carriers),
    forwardCredential: settings.forwardCredential,
    extract: createExtract(carriers, (value) => value.length > maxTokenLength || B64TOKEN.test(value)),
    verify: (credential, now) => {
      if (credential.value.length > maxTokenLength) return rejected('token_too_long')
      return after(cache.verdictOf(credential, now, async () => verdictOn(await introspect(credential.value), { now, clockToleranceMs })), (verdict) => {
        if (verdict.kind !== 'known') return verdict
        const { claims } = verdict
        const refused = checkTimes(claims, { now, clockToleranceMs }) ?? checkParties(claims, settings)
        if (refused) return refused
        const exp = instant(claims['exp'])
        return identify({
          authenticatorId: id, credential, document: claims, pointers, attributes: claims,
          expiresAt: typeof exp === 'number' ? exp : undefined,
          credentialId: typeof claims['jti'] === 'string' ? claims['jti'] : undefined,
        })
      })
    },
  }
}
