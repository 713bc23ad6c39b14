import type { KeyLimit, KeyRecord } from './key-record.ts'
import { KeyStoreUnavailable } from './key-store.ts'

/** Columns in the order in which `valuesOf` writes them. `seq`, the order of creation, is the table's own. */
export const COLUMNS = [
  'id', 'alg', 'digest', 'pepper_id', 'prefix', 'last4', 'owner', 'email', 'tier', 'status', 'scopes', 'roles', 'name', 'notes',
  'created_at', 'expires_at', 'revoked_at', 'replaced_by', 'replaces', 'overlap_ends_at', 'environment', 'allowed_networks', 'limits',
  'last_used_at', 'uses', 'version',
] as const

export type Column = (typeof COLUMNS)[number]

/** Columns that an update writes: not the id, not what `touch` counts (a batch of uses may have come between), not the version. */
export const UPDATED: readonly Column[] = COLUMNS.filter((column) => !['id', 'last_used_at', 'uses', 'version'].includes(column))

/** A row as a store gives it back. Lists are JSON text, so that every store keeps the same row. */
export type Row = Readonly<Record<string, unknown>>

const unreadable = (column: string): KeyStoreUnavailable => new KeyStoreUnavailable(`the key store has an unreadable ${column}`)

function textIn(row: Row, column: string): string {
  const value = row[column]
  if (typeof value !== 'string') throw unreadable(column)
  return value
}

function numberIn(row: Row, column: string): number {
  const value = row[column]
  if (typeof value !== 'number') throw unreadable(column)
  return value
}

const isAbsent = (value: unknown): boolean => value === null || value === undefined

const optionalTextIn = (row: Row, column: string): string | undefined => (isAbsent(row[column]) ? undefined : textIn(row, column))
const optionalNumberIn = (row: Row, column: string): number | undefined => (isAbsent(row[column]) ? undefined : numberIn(row, column))

function listIn(row: Row, column: string): readonly string[] {
  const value: unknown = JSON.parse(textIn(row, column))
  if (!Array.isArray(value)) throw unreadable(column)
  return value.map(String)
}

function limitsIn(row: Row, column: string): readonly KeyLimit[] {
  const value: unknown = JSON.parse(textIn(row, column))
  if (!Array.isArray(value)) throw unreadable(column)
  return value.map((each: unknown) => {
    const { quota, windowMs } = typeof each === 'object' && each !== null ? (each as { readonly quota?: unknown; readonly windowMs?: unknown }) : {}
    // A limit that cannot be read must not be read as none.
    if (typeof quota !== 'number' || typeof windowMs !== 'number') throw unreadable(column)
    return { quota, windowMs }
  })
}

function oneOf<T extends string>(row: Row, column: string, allowed: readonly T[]): T {
  const value = allowed.find((each) => each === row[column])
  // A status from a newer version must not be read as "active".
  if (value === undefined) throw unreadable(column)
  return value
}

/** @throws {KeyStoreUnavailable} for a row that no version of Postern known here has written */
export function recordOf(row: Row): KeyRecord {
  return {
    id: textIn(row, 'id'),
    alg: oneOf(row, 'alg', ['hmac-sha256', 'bcrypt']),
    digest: textIn(row, 'digest'),
    pepperId: textIn(row, 'pepper_id'),
    prefix: textIn(row, 'prefix'),
    last4: textIn(row, 'last4'),
    owner: textIn(row, 'owner'),
    email: optionalTextIn(row, 'email'),
    tier: optionalTextIn(row, 'tier'),
    status: oneOf(row, 'status', ['active', 'suspended']),
    scopes: listIn(row, 'scopes'),
    roles: listIn(row, 'roles'),
    name: optionalTextIn(row, 'name'),
    notes: optionalTextIn(row, 'notes'),
    createdAt: numberIn(row, 'created_at'),
    expiresAt: optionalNumberIn(row, 'expires_at'),
    revokedAt: optionalNumberIn(row, 'revoked_at'),
    replacedBy: optionalTextIn(row, 'replaced_by'),
    replaces: optionalTextIn(row, 'replaces'),
    overlapEndsAt: optionalNumberIn(row, 'overlap_ends_at'),
    environment: optionalTextIn(row, 'environment'),
    allowedNetworks: listIn(row, 'allowed_networks'),
    limits: limitsIn(row, 'limits'),
    lastUsedAt: optionalNumberIn(row, 'last_used_at'),
    uses: numberIn(row, 'uses'),
    version: numberIn(row, 'version'),
  }
}

/** A record's columns by name; `lastUsedAt`, `uses` and `version` are the caller's to decide. */
export function valuesOf(record: KeyRecord): Record<Column, string | number | null> {
  return {
    id: record.id, alg: record.alg, digest: record.digest, pepper_id: record.pepperId, prefix: record.prefix, last4: record.last4,
    owner: record.owner, email: record.email ?? null, tier: record.tier ?? null, status: record.status,
    scopes: JSON.stringify(record.scopes), roles: JSON.stringify(record.roles), name: record.name ?? null, notes: record.notes ?? null,
    created_at: record.createdAt, expires_at: record.expiresAt ?? null, revoked_at: record.revokedAt ?? null,
    replaced_by: record.replacedBy ?? null, replaces: record.replaces ?? null, overlap_ends_at: record.overlapEndsAt ?? null,
    environment: record.environment ?? null, allowed_networks: JSON.stringify(record.allowedNetworks), limits: JSON.stringify(record.limits),
    last_used_at: record.lastUsedAt ?? null, uses: record.uses, version: record.version,
  }
}
