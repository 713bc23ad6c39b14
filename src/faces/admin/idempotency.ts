import { sha256Hex } from '../../base/bytes.ts'
import type { Clock, DurationMs } from '../../base/time.ts'
import { KeyActRefused } from '../../keys/key-request.ts'

/**
 * Doing something once, however often it is asked for (draft-ietf-httpapi-idempotency-key-header). What was answered is remembered in memory
 * alone and not for long: it holds a key in clear. Later, or at another replica, the id that is made of the header still keeps a
 * second key from being made.
 */
export interface Idempotency {
  /** `header` undefined: just does it. @throws {KeyActRefused} for a header that is none, or that came with another request before */
  readonly once: <T>(header: string | undefined, request: string, work: (token: string | undefined) => Promise<T>) => Promise<T>
}

const KEPT_MS: DurationMs = 120_000
const MAX_KEPT = 200

interface Kept { readonly at: number; readonly request: string; readonly answer: Promise<unknown> }

/** A quoted string (RFC 9651), or the bare text that most clients send. */
function tokenOf(header: string): string {
  const text = /^"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"$/.exec(header)?.[1] ?? header
  if (!/^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/.test(text)) throw new KeyActRefused('request_invalid', 'Idempotency-Key – expected 1 to 255 visible ASCII characters, such as a UUID')
  return text
}

export function createIdempotency(clock: Clock): Idempotency {
  const kept = new Map<string, Kept>()

  const forget = (now: number): void => {
    for (const [token, { at }] of kept) if (now - at >= KEPT_MS || kept.size > MAX_KEPT) kept.delete(token)
  }

  return {
    once: <T>(header: string | undefined, request: string, work: (token: string | undefined) => Promise<T>): Promise<T> => {
      if (header === undefined) return work(undefined)
      const now = clock()
      forget(now)
      const token = tokenOf(header)
      const known = kept.get(token)
      const fingerprint = sha256Hex(request)
      if (known && known.request !== fingerprint) throw new KeyActRefused('request_invalid', 'this Idempotency-Key came with another request before')
      // Only `work` of the same token and request ever made this answer.
      if (known) return known.answer as Promise<T>
      const answer = work(token)
      kept.set(token, { at: now, request: fingerprint, answer })
      // What failed may be tried again.
      answer.catch(() => kept.delete(token))
      return answer
    },
  }
}
