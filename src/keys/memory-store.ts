import { isWorking, type KeyRecord } from './key-record.ts'
import type { CommitOutcome, DenyEntry, KeyChange, KeyStore, OwnerRoom } from './key-store.ts'

const isFree = (records: ReadonlyMap<string, KeyRecord>, digests: ReadonlyMap<string, string>, { record }: KeyChange): boolean =>
  !records.has(record.id) && !digests.has(record.digest)

function fits(records: ReadonlyMap<string, KeyRecord>, digests: ReadonlyMap<string, string>, change: KeyChange): boolean {
  if (change.kind === 'insert') return isFree(records, digests, change)
  const owner = digests.get(change.record.digest)
  return records.get(change.record.id)?.version === change.record.version && (owner === undefined || owner === change.record.id)
}

const isFull = (records: ReadonlyMap<string, KeyRecord>, { owner, max, now }: OwnerRoom): boolean =>
  [...records.values()].filter((record) => record.owner === owner && isWorking(record, now)).length >= max

/** Keeps records while the process lives: for tests and the `dev` mode. */
export function createMemoryStore(): KeyStore {
  let records = new Map<string, KeyRecord>()
  let digests = new Map<string, string>()
  const denials = new Map<string, DenyEntry>()
  let generation = 0

  const commit = (changes: readonly KeyChange[], room?: OwnerRoom): CommitOutcome => {
    if (room && isFull(records, room)) return 'full'
    const nextRecords = new Map(records)
    const nextDigests = new Map(digests)
    for (const change of changes) {
      if (!fits(nextRecords, nextDigests, change)) return 'conflict'
      const before = nextRecords.get(change.record.id)
      if (before) nextDigests.delete(before.digest)
      nextDigests.set(change.record.digest, change.record.id)
      nextRecords.set(change.record.id, { ...change.record, ...(before && { lastUsedAt: before.lastUsedAt, uses: before.uses }), version: (before?.version ?? 0) + 1 })
    }
    records = nextRecords
    digests = nextDigests
    generation += 1
    return 'committed'
  }

  return {
    kind: 'memory',
    byDigest: (wanted) => wanted.map((digest) => records.get(digests.get(digest) ?? '')).find((record) => record?.alg === 'hmac-sha256'),
    byId: (id) => records.get(id),
    list: ({ after, limit, owner }) => {
      const all = [...records.values()]
      const start = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1
      if (after !== undefined && start === 0) return { items: [], next: undefined }
      const rest = all.slice(start).filter((record) => owner === undefined || record.owner === owner)
      return { items: rest.slice(0, limit), next: rest.length > limit ? rest[limit - 1]?.id : undefined }
    },
    bcryptRecords: (limit) => [...records.values()].filter(({ alg, revokedAt }) => alg === 'bcrypt' && revokedAt === undefined).slice(0, limit),
    commit,
    touch: (uses) => {
      for (const [id, { at, count }] of uses) {
        const record = records.get(id)
        if (record) records.set(id, { ...record, lastUsedAt: Math.max(record.lastUsedAt ?? 0, at), uses: record.uses + count })
      }
    },
    deny: (entries) => {
      for (const entry of entries) denials.set(JSON.stringify([entry.authenticator, entry.kind, entry.value]), entry)
      generation += 1
    },
    denied: (now) => [...denials.values()].filter(({ until }) => until > now),
    generation: () => String(generation),
    close: () => undefined,
  }
}
