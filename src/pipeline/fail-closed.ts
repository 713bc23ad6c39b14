import type { Answer, Decision, DecisionPoint, Deny, Match } from '../model/decision.ts'

const INTERNAL: Deny = { outcome: 'deny', stage: 'match_route', denial: { kind: 'denial', code: 'internal' }, limits: [], attempts: [] }

/** A bug denies: the only catch-all on the data plane. `report` is told; the client learns `internal` and the request id. */
export function failClosed({ match, decide }: DecisionPoint, report: (error: unknown) => void): DecisionPoint {
  const fault = (error: unknown): Deny => {
    report(error)
    return INTERNAL
  }
  return {
    match: (request, note): Match | Deny | Answer => {
      try {
        return match(request, note)
      } catch (error) {
        return fault(error)
      }
    },
    decide: async (request, matched, note): Promise<Decision> => {
      try {
        return await decide(request, matched, note)
      } catch (error) {
        return { ...fault(error), route: matched.route }
      }
    },
  }
}
