import type { Denial, Evidence } from '../model/denial.ts'
import { REASONS, type RejectionReason } from '../model/reason.ts'
import type { AuthenticatorUse, Route } from '../model/route.ts'
import type { Refused, Unavailable } from './ask.ts'

type Challenges = Route['challenges']

function rejection(authenticatorId: string, challenges: Challenges, reason: RejectionReason, evidence?: Evidence): Denial {
  return { kind: 'denial', code: REASONS[reason].code, reason, challenges, authenticatorId, ...(evidence && { evidence }) }
}

function unavailability({ authenticator: { id: authenticatorId }, onUnavailable }: AuthenticatorUse, challenges: Challenges, { dependency, cause, misconfigured, retryAfterMs }: Unavailable): Denial {
  if (onUnavailable === 'deny') return rejection(authenticatorId, challenges, 'remote_rejected')
  if (misconfigured) return { kind: 'denial', code: 'dependency_misconfigured', dependency, authenticatorId, cause }
  return { kind: 'denial', code: 'dependency_unavailable', dependency, authenticatorId, cause, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

/** How a refusal is said. Of all that were asked one speaks, so it is put into words when that is known. */
export function denialOf({ use, because }: Refused, challenges: Challenges): Denial {
  const { authenticator: { id: authenticatorId } } = use
  switch (because?.kind) {
    case undefined:
      return { kind: 'denial', code: 'credential_missing', challenges, authenticatorId }
    case 'ambiguous':
      return { kind: 'denial', code: 'credential_ambiguous', location: because.location.name, challenges, authenticatorId }
    case 'foreign':
      return rejection(authenticatorId, challenges, 'credential_unrecognised')
    case 'malformed':
      return rejection(authenticatorId, challenges, 'bearer_malformed')
    case 'rejected':
    case 'not_applicable':
      return rejection(authenticatorId, challenges, because.reason, because.evidence)
    case 'unavailable':
      return unavailability(use, challenges, because)
  }
}
