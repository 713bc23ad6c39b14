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

/** The one with the least left, the first of equals. */
function tightest(limits: readonly ServiceLimit[], among: (limit: ServiceLimit) => boolean): ServiceLimit | undefined {
  let found: ServiceLimit | undefined
  for (const limit of limits) if (among(limit) && (found === undefined || share(limit) < share(found))) found = limit
  return found
}

const isMarked = ({ policy }: ServiceLimit): boolean => policy.reported
const isAny = (): boolean => true

/** Names identify the items of both lists, so a name that was charged twice is shown once, as its tighter half. */
function byName(limits: readonly ServiceLimit[]): readonly ServiceLimit[] {
  const kept = new Map<string, ServiceLimit>()
  for (const limit of limits) {
    const other = kept.get(limit.policy.name)
    if (!other || share(limit) < share(other)) kept.set(limit.policy.name, limit)
  }
  return [...kept.values()]
}

/** What is the same in every answer to which the same policies were applied. */
interface Applied {
  readonly policies: readonly QuotaPolicy[]
  /** No name stands twice. */
  readonly distinct: boolean
  /** The value of RateLimit-Policy. */
  readonly items: string
  /** What stands before the numbers of each in RateLimit. */
  readonly openings: readonly string[]
}

/** By the first policy: the lists that begin with it, as many as there are routes and tiers that share it. */
const applied = new WeakMap<QuotaPolicy, Applied[]>()
const MOST_LISTS = 16

function areOf(limits: readonly ServiceLimit[], { policies }: Applied): boolean {
  if (limits.length !== policies.length) return false
  for (let index = 0; index < limits.length; index += 1) if (limits[index]?.policy !== policies[index]) return false
  return true
}

function appliedOf(limits: readonly ServiceLimit[], first: QuotaPolicy): Applied {
  const lists = applied.get(first)
  if (lists) for (const known of lists) if (areOf(limits, known)) return known
  const made = applying(limits.map(({ policy }) => policy))
  if (lists && lists.length < MOST_LISTS) lists.push(made)
  else applied.set(first, [made])
  return made
}

function applying(policies: readonly QuotaPolicy[]): Applied {
  const names = policies.map(({ name }) => quotedString(name))
  return {
    policies,
    distinct: new Set(policies.map(({ name }) => name)).size === policies.length,
    items: policies.map((policy, index) => `${names[index]};q=${policy.quota};w=${windowSeconds(policy)}`).join(', '),
    openings: names.map((name, index) => `${index === 0 ? '' : ', '}${name};r=`),
  }
}

const whole = (remaining: number): number => Math.max(0, Math.floor(remaining))

/** draft-ietf-httpapi-ratelimit-headers-10: every window, in the order in which they were counted. */
function pushDraft(out: string[], limits: readonly ServiceLimit[], now: EpochMs): void {
  const [first] = limits
  if (!first) return
  const { distinct, items, openings } = appliedOf(limits, first.policy)
  if (!distinct) return pushDraft(out, byName(limits), now)
  let left = ''
  for (let index = 0; index < limits.length; index += 1) {
    const limit = limits[index]
    if (limit) left += `${openings[index]}${whole(limit.remaining)};t=${secondsLeft(limit, now)}`
  }
  out.push('RateLimit-Policy', items, 'RateLimit', left)
}

/**
 * The instant as clients of these fields expect it: the same number all through a window, and never further away than the window
 * is long, hence rounded down; never in the past. Retry-After is the exact one.
 */
const epochReset = (limit: ServiceLimit, now: EpochMs): number => Math.max(Math.floor(limit.resetsAt / 1_000), Math.floor(now / 1_000) + 1)

/** `X-RateLimit-*` have room for one policy: the one marked for it, or else the one nearest to refusing. */
function pushLegacy(out: string[], limits: readonly ServiceLimit[], reset: RateLimitFieldSettings['reset'], now: EpochMs): void {
  const limit = tightest(limits, isMarked) ?? tightest(limits, isAny)
  if (!limit) return
  out.push('X-RateLimit-Limit', String(limit.policy.quota), 'X-RateLimit-Remaining', String(whole(limit.remaining)), 'X-RateLimit-Reset', String(reset === 'epoch' ? epochReset(limit, now) : secondsLeft(limit, now)))
}

/**
 * Adds, to a flat list, what a client is told about its quotas; nothing when none was counted. Partitions never appear: they may be an
 * address or a subject.
 */
export function pushRateLimitFields(out: string[], limits: readonly ServiceLimit[], settings: RateLimitFieldSettings, now: EpochMs): void {
  if (limits.length === 0) return
  if (settings.ietf) pushDraft(out, limits, now)
  if (settings.legacy) pushLegacy(out, limits, settings.reset, now)
}

const NONE: Fields = []

/** The same as pairs. */
export function rateLimitFields(limits: readonly ServiceLimit[], settings: RateLimitFieldSettings, now: EpochMs): Fields {
  if (limits.length === 0) return NONE
  const flat: string[] = []
  pushRateLimitFields(flat, limits, settings, now)
  const pairs: (readonly [string, string])[] = []
  for (let index = 0; index + 1 < flat.length; index += 2) pairs.push([flat[index] ?? '', flat[index + 1] ?? ''])
  return pairs
}
