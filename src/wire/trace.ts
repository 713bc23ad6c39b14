import { randomFillSync } from 'node:crypto'

/** W3C Trace Context level 1, section 3.2. Version ff is invalid; later versions may append fields. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/

/**
 * The trace id (32 lower-case hex digits) of a `traceparent` value, or undefined when the value is not valid; then it must
 * neither be used nor passed on, and `tracestate` not either.
 */
export function traceIdOf(value: string | undefined): string | undefined {
  if (value === undefined || value.length > 512) return undefined
  const match = TRACEPARENT.exec(value)
  if (!match || (match[1] === '00' && match[4] !== undefined)) return undefined
  return match[2]
}

/**
 * Random digits made in advance: one call serves many requests. Few enough that an id which lives for long, and its whole pool with it,
 * takes no room worth mentioning.
 */
const bytes = Buffer.alloc(512)
let pool = ''
let used = 0

function randomHex(digits: number): string {
  if (used + digits > pool.length) {
    pool = randomFillSync(bytes).toString('hex')
    used = 0
  }
  used += digits
  return pool.slice(used - digits, used)
}

/** A new trace id: 32 hex digits. */
export const createTraceId = (): string => randomHex(32)

/** A new span id: 16 hex digits. */
export const createSpanId = (): string => randomHex(16)

/**
 * A `traceparent` for a trace that begins here. The sampled flag is set, because the usual sampler of an upstream follows its
 * parent: 00 would switch off the tracing that it had before Postern stood in front.
 */
export const traceparentOf = (traceId: string, spanId = createSpanId()): string => `00-${traceId}-${spanId}-01`
