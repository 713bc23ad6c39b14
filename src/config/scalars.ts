import { z } from 'zod'

// Writing code for every map of the schema pays where a thousand values are parsed; a config is parsed once.
z.config({ jitless: true })

/**
 * Scalars as operators write them. Text is accepted wherever a number, a boolean or a list is meant, since `${NAME}` always
 * yields text; what comes out has one type. Messages start with "expected": the value seen is put in front by `mistakesOf`, which
 * knows what must not be shown.
 */

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const UNITS_BYTES: Readonly<Record<string, number>> = { B: 1, KB: 1_000, MB: 1_000_000, GB: 1_000_000_000, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 }
const PERIODS_MS: Readonly<Record<string, number>> = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 }

const invalid = (context: z.core.$RefinementCtx, message: string): typeof z.NEVER => {
  context.addIssue({ code: 'custom', message })
  return z.NEVER
}

/** `250ms`, `30s`, `5m`, `1h`, `7d`, or `0`; milliseconds come out. */
export const duration = z.union([z.string(), z.number()]).transform((text, context) => {
  if (text === 0 || text === '0') return 0
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(String(text))
  const unit = UNITS_MS[match?.[2] ?? '']
  return match && unit ? Number(match[1]) * unit : invalid(context, 'expected a duration such as "30s", "5m" or "1h"')
}).meta({ title: 'duration', examples: ['30s'] })

/** A duration of at least one millisecond. */
export const positiveDuration = duration.refine((ms) => ms > 0, 'expected a duration longer than 0').meta({ title: 'duration' })

/** `16KiB`, `1MiB`, `10MB`, or a plain number of bytes; bytes come out. */
export const size = z.union([z.string(), z.number()]).transform((text, context) => {
  const match = /^(\d{1,12})(B|KB|MB|GB|KiB|MiB|GiB)?$/.exec(String(text))
  const unit = UNITS_BYTES[match?.[2] ?? 'B']
  return match && unit ? Number(match[1]) * unit : invalid(context, 'expected a size such as "16KiB" or "1MiB"')
}).meta({ title: 'size', examples: ['1MiB'] })

/** A count of 1 or more. */
export const count = z.union([z.string(), z.number()]).transform((text, context) => {
  const value = Number(text)
  return /^\d{1,15}$/.test(String(text)) && value >= 1 ? value : invalid(context, 'expected a whole number of 1 or more')
}).meta({ title: 'count' })

/** `true` or `false`, as a boolean or as text. */
export const flag = z.union([z.boolean(), z.string()]).transform((value, context) => {
  if (value === true || value === 'true' || value === 'on') return true
  // An unset variable switches off what it feeds.
  if (value === false || value === 'false' || value === 'off' || value === '') return false
  return invalid(context, 'expected true or false')
}).meta({ title: 'boolean' })

/** A list, or its comma-separated text; blanks are dropped, so an empty variable is an empty list. */
export const list = z.union([z.string(), z.array(z.string())]).transform((value) =>
  (typeof value === 'string' ? value.split(',') : value.flatMap((entry) => entry.split(','))).map((entry) => entry.trim()).filter((entry) => entry !== ''),
).meta({ title: 'list' })

/** Entries that may themselves contain commas: a list, or one text. */
export const oneOrMore = z.union([z.string(), z.array(z.string())]).transform((value) => (typeof value === 'string' ? [value] : value)).meta({ title: 'one or more' })

/** Non-empty text. */
export const text = z.string().min(1, 'expected some text, got none')

/** `100/minute` or `60/10s`. */
export interface Rate { readonly quota: number; readonly windowMs: number }

export const rate = z.string().transform((value, context): Rate => {
  const match = /^(\d{1,12})\s*\/\s*(?:(second|minute|hour|day)|(\d{1,6})?(s|m|h|d))$/.exec(value)
  if (!match || Number(match[1]) < 1) return invalid(context, 'expected N/second, N/minute, N/hour or N/day')
  const windowMs = match[2] ? PERIODS_MS[match[2]] : Number(match[3] ?? 1) * (UNITS_MS[match[4] ?? ''] ?? 0)
  return windowMs ? { quota: Number(match[1]), windowMs } : invalid(context, 'expected a window longer than 0')
}).meta({ title: 'rate', examples: ['100/minute'] })

/** `host:port`, `[v6]:port`, `:port` (every address) or `unix:/path`. */
export interface Address { readonly host: string; readonly port: number; readonly path?: string }

const portAlone = (port: string): string => `expected an address: "127.0.0.1:${port}" for this machine alone, ":${port}" for every network`

export const address = z.string({ error: ({ input }) => (typeof input === 'number' ? portAlone(String(input)) : undefined) }).transform((value, context): Address => {
  if (/^\d{1,5}$/.test(value)) return invalid(context, portAlone(value))
  if (value.startsWith('unix:/')) return { host: '', port: 0, path: value.slice(5) }
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})$/.exec(value)
  const port = Number(match?.[3])
  if (!match || port > 65_535) return invalid(context, 'expected an address such as "127.0.0.1:8080" or "unix:/run/postern.sock"')
  return { host: match[1] ?? (match[2] === '' ? '0.0.0.0' : match[2]) ?? '0.0.0.0', port }
}).meta({ title: 'address', examples: ['127.0.0.1:8080'] })

/** An absolute http or https URL without user, password, query or fragment. */
export const httpUrl = z.string().superRefine((value, context) => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (!url || !['http:', 'https:'].includes(url.protocol)) context.addIssue({ code: 'custom', message: 'expected a URL such as "https://idp.example.com"' })
  else if (url.username || url.password) context.addIssue({ code: 'custom', message: 'expected a URL without user and password; they have keys of their own' })
  else if (url.hash) context.addIssue({ code: 'custom', message: 'expected a URL without a fragment' })
}).meta({ title: 'url' })

/** `http://host:port`, `https://…` or `unix:/path` of an upstream. */
export const upstreamUrl = z.string().superRefine((value, context) => {
  if (/^unix:\/[^\0]+$/.test(value)) return
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (!url || !['http:', 'https:'].includes(url.protocol)) context.addIssue({ code: 'custom', message: 'expected an upstream such as "http://127.0.0.1:3000" or "unix:/run/api.sock"' })
  else if (url.username || url.password || url.search || url.hash) context.addIssue({ code: 'custom', message: 'expected scheme, host and port, with at most a path prefix' })
}).meta({ title: 'upstream url' })
