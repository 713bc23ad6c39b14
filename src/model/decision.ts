import type { MaybePromise } from '../base/time.ts'
import type { Denial, Evidence, ProblemCode } from './denial.ts'
import type { HeaderMutation } from './mutation.ts'
import type { AuthenticatorKind } from './ports.ts'
import type { Principals } from './principal.ts'
import type { ServiceLimit } from './quota.ts'
import type { RejectionReason } from './reason.ts'
import type { RequestDescription } from './request.ts'
import type { Route } from './route.ts'

export type StageName =
  | 'describe'
  | 'match_route'
  | 'check_network'
  | 'limit_client'
  | 'authenticate'
  | 'authorize'
  | 'limit_principal'
  | 'mutate'

/** What one authenticator said about one request; the audit record lists them all. */
export interface Attempt {
  readonly authenticatorId: string
  readonly kind: AuthenticatorKind
  readonly outcome: 'authenticated' | 'missing' | 'foreign' | 'ambiguous' | 'malformed' | 'rejected' | 'not_applicable' | 'unavailable'
  readonly reason?: RejectionReason | undefined
  readonly evidence?: Evidence | undefined
  /** For `unavailable`: why it could not be checked. Never a secret. */
  readonly cause?: string | undefined
}

/** A complete answer of Postern's own. */
export interface Reply {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

/** A face needs nothing else to act, the audit log nothing else to explain. */
export type Decision = Allow | Deny | Answer

/** A refusal that was let pass. */
export interface Observed {
  readonly stage: StageName
  readonly denial: Denial
}

interface Judged {
  readonly route?: Route
  readonly principals?: Principals
  readonly limits: readonly ServiceLimit[]
  readonly attempts: readonly Attempt[]
}

export interface Allow extends Judged {
  readonly outcome: 'allow'
  readonly route: Route
  readonly principals: Principals
  readonly mutation: HeaderMutation
  /** Where refusals are only observed: the first that would have been said. */
  readonly observed?: Observed
}

export interface Deny extends Judged {
  readonly outcome: 'deny'
  readonly stage: StageName
  readonly denial: Denial
}

/** Postern itself is the upstream: preflight, identity endpoint, metadata. */
export interface Answer extends Judged {
  readonly outcome: 'answer'
  readonly route?: Route
  readonly reply: Reply
}

/** Told by the pipe what each stage produced; only `explain`, metrics and tests listen. */
export type Note = (stage: StageName, product: unknown) => void

/** The product of stages 1 and 2, between which and the rest a face may read a declared body. */
export interface Match {
  readonly kind: 'match'
  readonly route: Route
  /** Where refusals are only observed: why the line would have ended before. Whoever finds such a reason between the stages adds it. */
  readonly observed?: Observed
}

/** The decision point. */
export interface DecisionPoint {
  /** Stages 1 and 2: which route governs, and may this network ask at all. Pure. */
  readonly match: (request: RequestDescription, note?: Note) => Match | Deny | Answer
  /** The rest of the line. Never rejects and never throws when wrapped by `failClosed`. */
  readonly decide: (request: RequestDescription, match: Match, note?: Note) => MaybePromise<Decision>
}

export type { ProblemCode }
