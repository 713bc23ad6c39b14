import type { DurationMs, EpochMs } from '../base/time.ts'

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Expiries beyond this are typing errors, and would not fit a four-digit year. */
const LATEST: EpochMs = Date.UTC(9999, 0)

/** `1s`, `6s`, `15m`, `24h`, `90d`, or `0`, in milliseconds; undefined for anything else. */
export function parseDuration(text: string): DurationMs | undefined {
  if (text === '0') return 0
  const match = /^(\d{1,7})([smhd])$/.exec(text)
  const unit = UNITS_MS[match?.[2] ?? '']
  return match && unit !== undefined ? Number(match[1]) * unit : undefined
}

const RFC_3339 = /^(\d{4}-\d{2}-\d{2})(?:[Tt](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2}))?$/

/** An RFC 3339 date-time, or a full date that stands for its first instant in UTC. Dates that no calendar has give undefined. */
export function parseInstant(text: string): EpochMs | undefined {
  const match = RFC_3339.exec(text)
  if (!match) return undefined
  const instant = Date.parse(match[2] === undefined ? `${match[1]}T00:00:00Z` : text.toUpperCase())
  // Date.parse rolls 30 February over into March; a deadline that moves by itself is not what was written.
  const day = Date.parse(`${match[1]}T00:00:00Z`)
  if (Number.isNaN(instant) || Number.isNaN(day) || new Date(day).toISOString().slice(0, 10) !== match[1]) return undefined
  return instant
}

/** When something ends that is written as a length from now (`90d`) or as an instant; undefined when it is neither, past or too far. */
export function parseExpiry(text: string, now: EpochMs): EpochMs | undefined {
  const length = parseDuration(text)
  const instant = length === undefined ? parseInstant(text) : now + length
  return instant !== undefined && instant > now && instant < LATEST ? instant : undefined
}

const PER: Readonly<Record<string, DurationMs>> = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 }

/** `100/minute` or `60/10s`: how many, and per how long; undefined for anything else, and for nothing at all. */
export function parseRate(text: string): { readonly quota: number; readonly windowMs: DurationMs } | undefined {
  const [, count = '', per = ''] = /^(\d{1,9})\/([a-z0-9]{1,8})$/.exec(text) ?? []
  const windowMs = PER[per] ?? parseDuration(per)
  return Number(count) > 0 && windowMs !== undefined && windowMs > 0 ? { quota: Number(count), windowMs } : undefined
}

/** RFC 3339 in UTC with whole seconds: `2025-01-01T00:00:00Z`. */
export const rfc3339 = (instant: EpochMs): string => `${new Date(instant).toISOString().slice(0, 19)}Z`
