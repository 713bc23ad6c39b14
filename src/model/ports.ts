import type { EpochMs, MaybePromise } from '../base/time.ts'
import type { Credential, CredentialLocation, Extraction } from './credential.ts'
import type { Challenge, Evidence } from './denial.ts'
import type { Charge, ServiceLimit } from './quota.ts'
import type { IdentifiedPrincipal, Principal } from './principal.ts'
import type { RejectionReason } from './reason.ts'
import type { RequestDescription } from './request.ts'

/** Kinds of authenticator; the closed set behind the metric label `method`. */
export type AuthenticatorKind = 'jwt' | 'api_key' | 'supabase' | 'introspection' | 'session' | 'remote' | 'anonymous'

/** The answer of an authenticator, after XACML: permit, deny, not applicable, indeterminate. */
export type Verification =
  | { readonly kind: 'authenticated'; readonly principal: Principal }
  | { readonly kind: 'rejected'; readonly reason: RejectionReason; readonly evidence?: Evidence }
  /** Not my kind of credential (another issuer, another prefix); speaks only when nobody else takes it. */
  | { readonly kind: 'not_applicable'; readonly reason: RejectionReason; readonly evidence?: Evidence }
  | {
      /** Could not check: 503 (or 500 when it is our own configuration that is wrong), never 401 and never 200. */
      readonly kind: 'unavailable'
      readonly dependency: string
      readonly misconfigured?: boolean
      readonly retryAfterMs?: number
      /** For the log; must not contain a secret. */
      readonly cause: string
    }

/** The first door to the world: who checks a credential. */
export interface Authenticator {
  /** Its name in the config. */
  readonly id: string
  readonly kind: AuthenticatorKind
  readonly challenge: Challenge
  /** Every carrier it may read, for stripping. Cookie names may end in `*` for chunks. */
  readonly carriers: readonly CredentialLocation[]
  /** Whether the upstream still sees what it consumed. */
  readonly forwardCredential: 'keep' | 'strip'
  /** Finds the credential. Pure and cheap. */
  readonly extract: (request: RequestDescription) => Extraction
  /** Checks it. Touches the world; must not reject: a failure to check is `unavailable`. */
  readonly verify: (credential: Credential, now: EpochMs) => MaybePromise<Verification>
  /**
   * Whether a proof that it accepted was ended since, before its time. Asked about open tunnels and streams several times a second. What
   * cannot be checked has not ended. Absent: proofs of this kind end by `expiresAt` alone.
   */
  readonly ended?: (principal: IdentifiedPrincipal, now: EpochMs) => MaybePromise<boolean>
}

/** The second door to the world: who counts. */
export interface Limiter {
  /**
   * Spends all charges or none, atomically. The answer has one entry per charge, in order. When any non-shadow policy
   * is exceeded nothing is spent.
   *
   * @throws {LimiterUnavailable} when the backend does not answer within its deadline and a charge's policy says `deny`
   */
  readonly consume: (charges: readonly Charge[], now: EpochMs) => MaybePromise<readonly ServiceLimit[]>
}

/** The counter store could not be asked and a policy says that this denies. */
export class LimiterUnavailable extends Error {
  readonly dependency: string
  constructor(dependency: string, options?: ErrorOptions) {
    super(`${dependency} could not be asked`, options)
    this.name = 'LimiterUnavailable'
    this.dependency = dependency
  }
}
