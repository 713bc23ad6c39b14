import type { Clock } from '../base/time.ts'
import type { Decision, StageName } from '../model/decision.ts'
import { isDenial } from '../model/denial.ts'
import type { Gateway } from '../model/gateway.ts'
import type { RequestDescription } from '../model/request.ts'
import { describe } from '../wire/incoming.ts'
import { replyOf } from '../wire/reply.ts'
import type { SketchedRequest } from './sketched-request.ts'

/** What one stage produced. */
export interface Step {
  readonly stage: StageName
  readonly product: unknown
}

/** One request, stage by stage, as the real pipe judged it. */
export interface Explanation {
  /** Absent when it could not be described. */
  readonly request?: RequestDescription
  readonly steps: readonly Step[]
  readonly decision: Decision
  /** Of the answer; undefined when the upstream would give it. */
  readonly status?: number
}

const MAX_HEADERS = 100

function statusOf(decision: Decision, gateway: Gateway, now: number): number | undefined {
  if (decision.outcome === 'answer') return decision.reply.status
  if (decision.outcome === 'allow') return undefined
  return replyOf(decision.denial, { wire: gateway.wire, requestId: '', now, limits: decision.limits }).status
}

/** Judges a sketched request with the gateway's own description and pipe; the gateway's limiter must only look. */
export async function explainRequest({ message, peer, encrypted }: SketchedRequest, gateway: Gateway, clock: Clock): Promise<Explanation> {
  const steps: Step[] = []
  const note = (stage: StageName, product: unknown): void => void steps.push({ stage, product })
  const request = describe(message, { wire: gateway.wire, peer, encrypted, now: clock(), upgrade: false, maxHeaders: MAX_HEADERS })
  const ended = (decision: Decision, described?: RequestDescription): Explanation => {
    const status = statusOf(decision, gateway, clock())
    return { steps, decision, ...(described ? { request: described } : {}), ...(status === undefined ? {} : { status }) }
  }
  if (isDenial(request)) {
    note('describe', request)
    return ended({ outcome: 'deny', stage: 'describe', denial: request, limits: [], attempts: [] })
  }
  const match = gateway.point.match(request, note)
  if ('outcome' in match) return ended(match, request)
  return ended(await gateway.point.decide(request, match, note), request)
}
