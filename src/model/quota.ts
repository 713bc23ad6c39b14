import type { DurationMs, EpochMs } from '../base/time.ts'
import type { Principals } from './principal.ts'
import type { RequestDescription } from './request.ts'

/** What happens when the counter store cannot be asked. `local`: this replica enforces its stated share. */
export type OnUnavailable = 'local' | 'deny' | 'allow'

/**
 * How a window moves. `fixed` opens with the partition's first charge; `calendar` is aligned to the epoch (UTC); `sliding`
 * weighs the previous window; `gcra` refills continuously and allows `burst` at once.
 */
export type QuotaAlgorithm = 'fixed' | 'sliding' | 'calendar' | 'gcra'

/** A rate rule in the terms of draft-ietf-httpapi-ratelimit-headers: `quota` units per window. */
export interface QuotaPolicy {
  /** Namespace of the counter: policies with the same id share it. */
  readonly id: string
  /** What clients see in `RateLimit-Policy`. */
  readonly name: string
  /** Units per window, a positive integer. */
  readonly quota: number
  readonly windowMs: DurationMs
  readonly algorithm: QuotaAlgorithm
  /** `gcra` only: units that may be spent at once; at least 1. */
  readonly burst?: number
  /** `fixed` only: a window that was spent whole makes the next one twice as long, up to this; absent means all are equal. */
  readonly backoffMs?: DurationMs
  readonly onUnavailable: OnUnavailable
  /** Counts and reports, never refuses. */
  readonly shadow: boolean
  /** Whether `X-RateLimit-*` show this one. */
  readonly reported: boolean
}

/** One unit of work for a limiter. `cost` 0 only looks. */
export interface Charge {
  readonly policy: QuotaPolicy
  /** Who shares the counter. Never shown to anybody: it may be an address or a subject. */
  readonly partition: string
  /** Units, an integer of 0 or more. */
  readonly cost: number
}

/** What is left of one policy in one partition. */
export interface ServiceLimit {
  readonly policy: QuotaPolicy
  /** Units left after this request, 0 or more. */
  readonly remaining: number
  /** When the window is whole again (fixed, calendar), or when the full quota is back (gcra, sliding). */
  readonly resetsAt: EpochMs
  /** True when this policy refused the request. Shadow policies may say so without refusing. */
  readonly exceeded: boolean
  /** When the same charge would pass; meaningful only when `exceeded`. */
  readonly retryAt: EpochMs
}

/** A quota policy on a route, with how its partition is found. */
export interface QuotaRule {
  readonly policy: QuotaPolicy
  /** The partition of this request, or undefined when the rule does not apply to it (exempt, other method, no such field). */
  readonly partitionOf: (request: RequestDescription, principals?: Principals) => string | undefined
  /** The partition follows from the fields, the client and the principals alone, and not from the target, the method or the body. */
  readonly steady?: boolean
  readonly cost: number
}
