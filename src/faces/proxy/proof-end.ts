import type { EpochMs } from '../../base/time.ts'
import type { Allow } from '../../model/decision.ts'

/** When the first of the proofs ends that let a request in. Where refusals are let pass, what is open stays open. */
export function firstExpiry({ route, principals: { primary, byAuthenticator } }: Allow): EpochMs | undefined {
  if (route.observe) return undefined
  let first = primary.kind === 'identified' ? primary.expiresAt : undefined
  // Almost every request has one proof, and its answer is on the way of all of them.
  if (byAuthenticator.size < 2) return first
  for (const principal of byAuthenticator.values()) {
    if (principal.kind === 'identified' && principal.expiresAt !== undefined) first = Math.min(first ?? principal.expiresAt, principal.expiresAt)
  }
  return first
}

const CONTENT_TYPE = 'content-type'

/** Media types of answers that go on for as long as somebody listens. */
const ENDLESS = /^\s*(?:text\/event-stream|application\/(?:x-ndjson|jsonl|stream\+json)|multipart\/x-mixed-replace)\s*(?:;|$)/i

/** Whether an answer is a stream of events, which has no end of its own. A download has one, and may reach it after its proof has expired. */
export function isEndless(raw: readonly (string | Buffer)[]): boolean {
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (raw[index]?.length === CONTENT_TYPE.length && raw[index]?.toString('latin1').toLowerCase() === CONTENT_TYPE) return ENDLESS.test(raw[index + 1]?.toString('latin1') ?? '')
  }
  return false
}
