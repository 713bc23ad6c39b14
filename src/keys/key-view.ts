import type { EpochMs } from '../base/time.ts'
import { displayOf } from './key-format.ts'
import { stateOf } from './key-record.ts'
import type { KeyRecord, KeyState } from './key-record.ts'
import { rfc3339 } from './scalars.ts'

/** What is told of a key, by the command line and the admin API alike. Has no member that a digest or a key could stand in. */
export interface KeyView {
  readonly id: string
  /** Prefix and last four characters: `acme_live_…9fQx`. */
  readonly display: string
  /** What the key is good for now. */
  readonly state: KeyState
  readonly owner: string
  readonly email: string | null
  readonly tier: string | null
  /** As it was set; `state` has the last word. */
  readonly status: 'active' | 'suspended'
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly name: string | null
  readonly notes: string | null
  /** RFC 3339 with whole seconds, as all instants here. */
  readonly created_at: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
  readonly last_used_at: string | null
  /** Requests that were let in with it, up to some seconds late. */
  readonly uses: number
  readonly environment: string | null
  /** Empty: from anywhere. */
  readonly allowed_networks: readonly string[]
  /** `100/60s`: requests per window. Empty: those of its tier or route. */
  readonly limits: readonly string[]
  readonly replaces: string | null
  readonly replaced_by: string | null
  /** Until when a replaced key still works. */
  readonly overlap_ends_at: string | null
}

const instant = (at: EpochMs | undefined): string | null => (at === undefined ? null : rfc3339(at))

export function viewOf(record: KeyRecord, now: EpochMs): KeyView {
  return {
    id: record.id,
    display: displayOf(record),
    state: stateOf(record, now),
    owner: record.owner,
    email: record.email ?? null,
    tier: record.tier ?? null,
    status: record.status,
    scopes: record.scopes,
    roles: record.roles,
    name: record.name ?? null,
    notes: record.notes ?? null,
    created_at: rfc3339(record.createdAt),
    expires_at: instant(record.expiresAt),
    revoked_at: instant(record.revokedAt),
    last_used_at: instant(record.lastUsedAt),
    uses: record.uses,
    environment: record.environment ?? null,
    allowed_networks: record.allowedNetworks,
    limits: record.limits.map(({ quota, windowMs }) => `${quota}/${windowMs / 1_000}s`),
    replaces: record.replaces ?? null,
    replaced_by: record.replacedBy ?? null,
    overlap_ends_at: instant(record.overlapEndsAt),
  }
}
