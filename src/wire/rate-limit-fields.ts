import type { EpochMs } from '../base/time.ts'
import type { RateLimitFieldSettings } from '../model/gateway.ts'
import type { QuotaPolicy, ServiceLimit } from '../model/quota.ts'
import { quotedString } from './quoted-string.ts'

type Fields = readonly (readonly [name: string, value: string])[]

const windowSeconds = (policy: QuotaPolicy): number => Math.max(1, Math.ceil(policy.windowMs / 1_000))

/**
 * Seconds until there is something to spend: rounded up, so that nobody comes back too early, and never longer than the window,
 * whatever two clocks disagree about. For a policy that refused this is the moment of the retry, so that Retry-After is never
 * earlier than the `t` it stands beside.
 */
function secondsLeft(limit: ServiceLimit, now: EpochMs): number {
  const at = limit.exceeded ? limit.retryAt : limit.resetsAt
  return Math.min(windowSeconds(limit.policy), Math.max(0, Math.ceil((at - now) / 1_000)))
}

const share = (limit: ServiceLimit): number => (limit.exceeded ? -1 : limit.remaining / limit.policy.quota)

const tightest = (limits: readonly ServiceLimit[]): ServiceLimit | undefined => limits.toSorted((a, b) => share(a) - share(b))[0]

/** Names identify the items of both lists, so a name that was charged twice is shown once, as its tighter half. */
function byName(limits: readonly ServiceLimit[]): readonly ServiceLimit[] {
  if (limits.length === 1) return limits
  const kept = new Map<string, ServiceLimit>()
  for (const limit of limits) {
    const other = kept.get(limit.policy.name)
    if (!other || share(limit) < share(other)) kept.set(limit.policy.name, limit)
  }
  return [...kept.values()]
}

/** What is the same in every answer: the quoted name, and the item of RateLimit-Policy. */
const texts = new WeakMap<QuotaPolicy, { readonly name: string; readonly item: string }>()

function textsOf(policy: QuotaPolicy): { readonly name: string; readonly item: string } {
  const known = texts.get(policy)
  if (known) return known
  const name = quotedString(policy.name)
  const made = { name, item: `${name};q=${policy.quota};w=${windowSeconds(policy)}` }
  texts.set(policy, made)
  return made
}

/** draft-ietf-httpapi-ratelimit-headers-10: every window, in the order in which they were counted. */
function draftFields(limits: readonly ServiceLimit[], now: EpochMs): Fields {
  const named = byName(limits)
  return [
    ['RateLimit-Policy', named.map(({ policy }) => textsOf(policy).item).join(', ')],
    ['RateLimit', named.map((limit) => `${textsOf(limit.policy).name};r=${Math.max(0, Math.floor(limit.remaining))};t=${secondsLeft(limit, now)}`).join(', ')],
  ]
}

/**
 * The instant as clients of these fields expect it: the same number all through a window, and never further away than the window
 * is long, hence rounded down; never in the past. Retry-After is the exact one.
 */
const epochReset = (limit: ServiceLimit, now: EpochMs): number => Math.max(Math.floor(limit.resetsAt / 1_000), Math.floor(now / 1_000) + 1)

/** `X-RateLimit-*` have room for one policy: the one marked for it, or else the one nearest to refusing. */
function legacyFields(limits: readonly ServiceLimit[], reset: RateLimitFieldSettings['reset'], now: EpochMs): Fields {
  const marked = limits.filter(({ policy }) => policy.reported)
  const limit = tightest(marked.length > 0 ? marked : limits)
  if (!limit) return []
  return [
    ['X-RateLimit-Limit', String(limit.policy.quota)],
    ['X-RateLimit-Remaining', String(Math.max(0, Math.floor(limit.remaining)))],
    ['X-RateLimit-Reset', String(reset === 'epoch' ? epochReset(limit, now) : secondsLeft(limit, now))],
  ]
}

/** What a client is told about its quotas; nothing when none was counted. Partitions never appear: they may be an address or a subject. */
export function rateLimitFields(limits: readonly ServiceLimit[], settings: RateLimitFieldSettings, now: EpochMs): Fields {
  if (limits.length === 0) return []
  return [...(settings.ietf ? draftFields(limits, now) : []), ...(settings.legacy ? legacyFields(limits, settings.reset, now) : [])]
}
