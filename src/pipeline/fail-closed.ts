import type { MaybePromise } from '../base/time.ts'
import type { Answer, Decision, DecisionPoint, Deny, Match } from '../model/decision.ts'

const INTERNAL: Deny = { outcome: 'deny', stage: 'match_route', denial: { kind: 'denial', code: 'internal' }, limits: [], attempts: [] }

/** A bug denies: the only catch-all on the data plane. `report` is told; the client learns `internal` and the request id. */
export function failClosed({ match, decide }: DecisionPoint, report: (error: unknown) => void): DecisionPoint {
  const fault = (error: unknown): Deny => {
    report(error)
    return INTERNAL
  }
  const faultOn = ({ route }: Match, error: unknown): Deny => ({ ...fault(error), route })
  return {
    match: (request, note): Match | Deny | Answer => {
      try {
        return match(request, note)
      } catch (error) {
        return fault(error)
      }
    },
    decide: (request, matched, note): MaybePromise<Decision> => {
      try {
        const decision = decide(request, matched, note)
        return decision instanceof Promise ? decision.catch((error: unknown) => faultOn(matched, error)) : decision
      } catch (error) {
        return faultOn(matched, error)
      }
    },
  }
}
