import type { CidrSet } from '../base/cidr.ts'
import type { MaybePromise } from '../base/time.ts'
import type { Challenge } from './denial.ts'
import type { Mutator } from './mutation.ts'
import type { Authenticator } from './ports.ts'
import type { Principals } from './principal.ts'
import type { QuotaRule } from './quota.ts'
import type { RequestDescription } from './request.ts'

/** One authenticator as one route uses it. */
export interface AuthenticatorUse {
  readonly authenticator: Authenticator
  /** `all` only: a missing credential is fine, a bad one is not. */
  readonly optional: boolean
  /** Scopes demanded when this one answers, besides the route's own. */
  readonly scopes: readonly string[]
  readonly onMissing: 'next' | 'reject'
  readonly onInvalid: 'next' | 'reject'
  readonly onUnavailable: 'error' | 'next' | 'deny'
}

/** How a route composes its authenticators. */
export type RouteAuthentication =
  | { readonly mode: 'none' }
  | { readonly mode: 'any' | 'all'; readonly uses: readonly AuthenticatorUse[]; readonly primary?: string }

/** What a principal must be allowed. Empty lists demand nothing. */
export interface Requirements {
  /** All of them. */
  readonly scopes: readonly string[]
  /** Any of them. */
  readonly roles: readonly string[]
  /** Each must hold: attribute by path equals one of the values. */
  readonly claims: readonly { readonly path: readonly string[]; readonly values: readonly unknown[] }[]
  /** The least tier, by its rank; tiers are ordered as the config lists them. */
  readonly minTier?: string
  readonly tierRanks: ReadonlyMap<string, number>
}

/** Who may send cookie-authenticated unsafe requests: exact origins. */
export interface CsrfPolicy {
  readonly origins: ReadonlySet<string>
}

/** Which browser origins may read answers; compiled, so that nothing in the pipe knows the syntax of the fields. */
export interface CorsPolicy {
  /** Fields for an actual answer, refusals included. `origin` is the request's `Origin`, if any. Always has `Vary` where the answer depends on it. */
  readonly fieldsFor: (origin: string | undefined) => readonly (readonly [name: string, value: string])[]
  /** Fields of the 204 to a preflight. */
  readonly preflightFor: (origin: string | undefined) => readonly (readonly [name: string, value: string])[]
}

/** What a route that reads the body demands of it. */
export interface BodyPolicy {
  readonly maxBytes: number
  /** Lower-case media types; empty means any. */
  readonly contentTypes: readonly string[]
  /** Pure checks on the parsed value; a false one denies with `forbidden`, rule `body`. */
  readonly check?: (body: unknown, principals: Principals) => boolean
  /** Values that `grant_type` may have, in query and body together. */
  readonly grantTypes?: ReadonlySet<string>
  /** Paths of the members that rules look at: a body that has one of them in another spelling is refused. */
  readonly members?: readonly (readonly string[])[]
}

interface BuiltInReply { readonly status: number; readonly headers: readonly (readonly [string, string])[]; readonly body: string }

/** Postern itself answers: built-in identity endpoint and metadata at once, self-service after it has asked its store. */
export type BuiltInAnswer = (request: RequestDescription, principals: Principals) => MaybePromise<BuiltInReply>

/** What governs a request. Everything in here is compiled: functions and sets, no names to look up. */
export interface Route {
  /** Stable label from the config; bounded, so it may be a metric label. */
  readonly id: string
  readonly allowedNetworks?: CidrSet
  readonly deniedNetworks?: CidrSet
  readonly requireHttps: boolean
  readonly authentication: RouteAuthentication
  /** Challenges of a 401 on this route, in order. */
  readonly challenges: readonly Challenge[]
  readonly requirements: Requirements
  readonly csrf: CsrfPolicy
  /** Spent before authentication. */
  readonly clientQuotas: readonly QuotaRule[]
  /** Spent after authorization. */
  readonly principalQuotas: (principals: Principals) => readonly QuotaRule[]
  /** Looked at before authentication, charged after a rejection. */
  readonly failureQuotas: readonly QuotaRule[]
  readonly mutators: readonly Mutator[]
  readonly body?: BodyPolicy
  readonly cors?: CorsPolicy
  readonly answer?: BuiltInAnswer
  /** The route exists to refuse. */
  readonly deny?: 'route_not_found' | 'forbidden'
  readonly upstreamId: string
  /** The path to send instead of the one matched; receives the judged path and gives the sent one, recorded in the audit. */
  readonly rewrite?: (path: string) => string
  /** Headers set or removed on the way to the upstream, secrets of the config included. */
  readonly requestHeaders: { readonly set: readonly (readonly [string, string])[]; readonly remove: readonly string[] }
  /** Bytes a request body may have when it streams past. */
  readonly maxBodyBytes: number
  /** Decide, count and log, but let pass. */
  readonly observe: boolean
}
