import type { EpochMs, MaybePromise } from '../base/time.ts'
import type { Credential, CredentialLocation } from '../model/credential.ts'
import type { Challenge, Evidence } from '../model/denial.ts'
import type { Authenticator, Verification } from '../model/ports.ts'
import type { RejectionReason } from '../model/reason.ts'
import { locationsOf } from './carriers.ts'
import { claimOf, shown } from './jwt-claims.ts'
import { createSupabaseWord, sessionOf, type SupabaseAsking } from './supabase-ask.ts'
import { createSupabaseExtract, type SupabaseCarriers } from './supabase-extract.ts'
import { supabasePolicyFault } from './supabase-policy.ts'
import { readToken, type TokenShape } from './token-shape.ts'

/** A JWT authenticator, as far as it is needed here. */
export interface LocalVerifier {
  readonly verify: Authenticator['verify']
  /** Whether it has verified this token lately, so that it need not be read again. */
  readonly remembers: (credential: Credential, now: EpochMs) => boolean
}

/** How tokens are checked here. */
export interface LocalVerification {
  /** ES256 and RS256 by the project's key set. */
  readonly published: LocalVerifier
  /** Whether the key set is empty: a project that signs with its legacy secret publishes none. False while it is unknown. */
  readonly publishesNone: (now: EpochMs) => MaybePromise<boolean>
  /** HS256 tokens: by the legacy secret, by asking, or not at all. */
  readonly legacy: LocalVerifier | 'ask' | 'off'
}

export interface SupabaseSettings extends SupabaseCarriers, SupabaseAsking {
  /** Exact `iss` values; a token of anybody else is not ours. Empty: Auth itself decides. */
  readonly issuers: readonly string[]
  /** Absent: every token is asked about. */
  readonly local?: LocalVerification | undefined
  readonly challenge: Challenge
  readonly forwardCredential: 'keep' | 'strip'
}

const rejected = (reason: RejectionReason, evidence: Evidence): Verification => ({ kind: 'rejected', reason, evidence })

/** The project's own API keys are JWTs as well; the public anon key must never be a login. */
function apiKeyFault({ payload }: TokenShape): Verification | undefined {
  if (claimOf(payload, 'iss') !== 'supabase' || claimOf(payload, 'sub') !== undefined) return undefined
  const role = claimOf(payload, 'role')
  return rejected(role === 'anon' ? 'jwt_anon_key' : 'jwt_role_not_allowed', { iss: 'supabase', role: shown(role) })
}

function foreignFault({ payload }: TokenShape, issuers: readonly string[]): Verification | undefined {
  const iss = claimOf(payload, 'iss')
  if (issuers.length === 0 || (typeof iss === 'string' && issuers.includes(iss))) return undefined
  return { kind: 'not_applicable', reason: 'jwt_issuer_mismatch', evidence: { claim: 'iss', seen: shown(iss), expected: issuers } }
}

const locationsFor = ({ carriers }: SupabaseCarriers): readonly CredentialLocation[] =>
  locationsOf(carriers).flatMap((location): readonly CredentialLocation[] => (location.kind === 'cookie' ? [location, { kind: 'cookie', name: `${location.name}.*` }] : [location]))

/** Access tokens of a Supabase project: checked here by its key set, or asked about at `GET /auth/v1/user`, or both. Never rejects. */
export function createSupabaseAuthenticator(settings: SupabaseSettings): Authenticator {
  const { id, issuers, policy, local, recheck, fetchUser, maxTokenLength } = settings
  const word = createSupabaseWord(settings)

  const checkedHere = async (credential: Credential, { verify }: LocalVerifier, now: EpochMs): Promise<Verification> => {
    const verified = await verify(credential, now)
    if (verified.kind !== 'authenticated' || verified.principal.kind !== 'identified') return verified
    const session = sessionOf(verified.principal.attributes)
    const principal = { ...verified.principal, authenticatorId: id, ...(session === undefined ? {} : { credentialId: session }) }
    const fault = supabasePolicyFault(principal.attributes, policy)
    if (fault) return fault
    return recheck || fetchUser ? word.onPrincipal(principal, credential, now) : { kind: 'authenticated', principal }
  }

  const checked = async (credential: Credential, { header, payload }: TokenShape, now: EpochMs): Promise<Verification> => {
    if (!local) return word.onToken(credential, payload, now)
    const { published, publishesNone, legacy } = local
    if (claimOf(header, 'alg') !== 'HS256') return (await publishesNone(now)) ? word.onToken(credential, payload, now) : checkedHere(credential, published, now)
    if (legacy === 'off') return rejected('jwt_alg_not_allowed', { alg: 'HS256' })
    return legacy === 'ask' ? word.onToken(credential, payload, now) : checkedHere(credential, legacy, now)
  }

  return {
    id,
    kind: 'supabase',
    challenge: settings.challenge,
    carriers: locationsFor(settings),
    forwardCredential: settings.forwardCredential,
    extract: createSupabaseExtract(settings),
    verify: (credential, now) => {
      // What was verified once has passed everything below.
      if (local?.published.remembers(credential, now)) return checkedHere(credential, local.published, now)
      const token = readToken(credential.value, maxTokenLength)
      if (token.kind === 'fault') return rejected(token.reason, { detail: token.detail })
      return apiKeyFault(token) ?? foreignFault(token, issuers) ?? checked(credential, token, now)
    },
  }
}

/** Stands in while the project is not configured (`start_degraded`): recognises the credential, and says whose fault it is. */
export function createDegradedSupabase({ missing, ...settings }: SupabaseCarriers & Pick<SupabaseSettings, 'id' | 'challenge' | 'forwardCredential'> & { readonly missing: readonly string[] }): Authenticator {
  return {
    id: settings.id,
    kind: 'supabase',
    challenge: settings.challenge,
    carriers: locationsFor(settings),
    forwardCredential: settings.forwardCredential,
    extract: createSupabaseExtract(settings),
    verify: () => ({ kind: 'unavailable', dependency: settings.id, misconfigured: true, cause: `not set: ${missing.join(', ')}` }),
  }
}
