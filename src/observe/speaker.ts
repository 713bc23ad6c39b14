import type { Attempt, Decision } from '../model/decision.ts'
import type { Denial, ProblemCode } from '../model/denial.ts'
import type { RejectionReason } from '../model/reason.ts'

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

const spoke = (attempt: Attempt): boolean => !SILENT_OUTCOMES.has(attempt.outcome)

function namedIn(decision: Decision): string | undefined {
  if (decision.principals) return decision.principals.primary.authenticatorId
  return decision.outcome === 'deny' && 'authenticatorId' in decision.denial ? decision.denial.authenticatorId : undefined
}

/**
 * What the authenticator said that spoke for a request, if any did: the primary principal's, the one that the denial names, or the last
 * that recognised something.
 */
export function speakerOf(decision: Decision): Attempt | undefined {
  const { attempts } = decision
  const named = namedIn(decision)
  if (named === undefined) return attempts.findLast(spoke)
  for (const attempt of attempts) if (attempt.authenticatorId === named) return spoke(attempt) ? attempt : undefined
  return undefined
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
