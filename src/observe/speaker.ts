import type { Attempt, Decision } from '../model/decision.ts'
import type { Denial, ProblemCode } from '../model/denial.ts'
import type { AuthenticatorKind } from '../model/ports.ts'
import type { RejectionReason } from '../model/reason.ts'

/** The authenticator that spoke for a request, if any did. */
export interface Speaker {
  readonly kind: AuthenticatorKind | 'none'
  readonly authenticatorId?: string
}

const SILENT_OUTCOMES: ReadonlySet<Attempt['outcome']> = new Set(['missing', 'foreign', 'not_applicable'])

/** Refusals that say "could not tell" rather than "no". */
const ERRORS: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  'dependency_unavailable',
  'dependency_misconfigured',
  'overloaded',
  'upstream_unreachable',
  'upstream_timeout',
  'internal',
])

const NOBODY: Speaker = { kind: 'none' }

const isSilent = ({ outcome }: Attempt): boolean => SILENT_OUTCOMES.has(outcome)

const speaking = (attempt: Attempt | undefined): Speaker => (attempt && !isSilent(attempt) ? { kind: attempt.kind, authenticatorId: attempt.authenticatorId } : NOBODY)

/** Who answered: the primary principal's authenticator, the one that the denial names, or the last that recognised something. */
export function speakerOf(decision: Decision): Speaker {
  const { attempts } = decision
  const named = decision.principals?.primary.authenticatorId ?? (decision.outcome === 'deny' && 'authenticatorId' in decision.denial ? decision.denial.authenticatorId : undefined)
  if (named !== undefined) return speaking(attempts.find((attempt) => attempt.authenticatorId === named))
  return speaking(attempts.findLast((attempt) => !isSilent(attempt)))
}

/** The finest slug for a refusal: its reason, or else its code. */
export const slugOf = (denial: Denial): RejectionReason | ProblemCode => ('reason' in denial ? denial.reason : denial.code)

/** What would have been, or was, refused. */
export const denialOf = (decision: Decision): Denial | undefined =>
  decision.outcome === 'deny' ? decision.denial : decision.outcome === 'allow' ? decision.observed?.denial : undefined

export function outcomeOf(decision: Decision): 'allow' | 'deny' | 'error' {
  if (decision.outcome !== 'deny') return 'allow'
  return ERRORS.has(decision.denial.code) ? 'error' : 'deny'
}
