import { sha256 } from '../base/bytes.ts'
import type { Clock, DurationMs, EpochMs, MaybePromise } from '../base/time.ts'
import type { KeyHasher } from './key-digest.ts'
import { base62Of, generateKey, labelOf, newKeyId } from './key-format.ts'
import { stateOf } from './key-record.ts'
import type { KeyRecord } from './key-record.ts'
import type { KeyRequest, KeyRequestText } from './key-request.ts'
import { checkKeyRequest, expiryOf, KeyActRefused } from './key-request.ts'
import type { KeyPage, KeyQuery, KeyStore } from './key-store.ts'

/** How long the old key goes on working when nobody says otherwise. */
export const DEFAULT_OVERLAP_MS: DurationMs = 86_400_000

/** Somebody did something to a key. Holds no secret. */
export interface KeyAct {
  readonly act: 'issued' | 'rotated' | 'revoked' | 'suspended' | 'resumed'
  /** Who did it: `cli:alice`, `admin`. */
  readonly actor: string
  readonly at: EpochMs
  readonly keyId: string
  readonly owner: string
  /** `rotated` only: the key that was made. */
  readonly newKeyId?: string
}

/** A key that was just made. `key` is the plaintext and exists nowhere else. */
export interface IssuedKey {
  readonly record: KeyRecord
  readonly key: string
}

export interface RotateOptions {
  readonly overlapMs?: DurationMs | undefined
  /** For the new key: `90d`, or an RFC 3339 instant. Default: as long a life as the old one was given, if it was given an end. */
  readonly expires?: string | undefined
}

export interface IssueConditions { readonly token?: string | undefined; readonly max?: number | undefined }

/** The acts on keys, for whichever face. All reject with {@link KeyActRefused} or {@link KeyStoreUnavailable}. */
export interface KeyService {
  /**
   * With a `token`, asking again makes no second key: `key_exists`. With `max`, an owner who has so many working keys gets no further one,
   * whichever replica is asked: `request_invalid`.
   */
  readonly issue: (request: KeyRequestText, actor: string, conditions?: IssueConditions) => Promise<IssuedKey>
  readonly list: (query: KeyQuery) => Promise<KeyPage>
  readonly show: (id: string) => Promise<KeyRecord>
  readonly rotate: (id: string, options: RotateOptions, actor: string) => Promise<IssuedKey>
  /** Done already is done. */
  readonly revoke: (id: string, actor: string) => Promise<KeyRecord>
  readonly suspend: (id: string, actor: string) => Promise<KeyRecord>
  readonly resume: (id: string, actor: string) => Promise<KeyRecord>
}

export interface KeyServiceOptions {
  readonly store: KeyStore
  readonly hasher: KeyHasher
  /** Prefix of new keys, environment included: `acme_live`. */
  readonly prefix: string
  /** Environment that stands in `prefix`, if any. */
  readonly environment?: string | undefined
  /** Prefix of keys of another environment; undefined when nobody would recognise such a key. Absent: there is one environment. */
  readonly prefixOf?: (environment: string) => string | undefined
  /** Tiers that the config names; empty: any. */
  readonly tiers: readonly string[]
  readonly clock: Clock
  readonly onAct: (act: KeyAct) => void
}

/** Attempts at an update that others keep overtaking. */
const ATTEMPTS = 5

/** @throws {KeyActRefused} `request_invalid` for an environment whose keys would not be recognised */
function prefixFor({ prefix, environment, prefixOf }: KeyServiceOptions, wanted: string | undefined): string {
  if (wanted === undefined || wanted === environment) return prefix
  const other = prefixOf?.(wanted)
  if (other === undefined) throw new KeyActRefused('request_invalid', `keys of the environment "${wanted}" would not be recognised here`)
  return other
}

/** What a new record has, besides what was asked for. */
function recordFor(options: KeyServiceOptions, request: KeyRequest, replaces?: string): IssuedKey {
  const key = generateKey(prefixFor(options, request.environment))
  const record: KeyRecord = {
    ...request, environment: request.environment ?? options.environment, ...labelOf(key), ...options.hasher.digestOf(key),
    id: newKeyId(), alg: 'hmac-sha256', createdAt: options.clock(), revokedAt: undefined, replacedBy: undefined, replaces,
    overlapEndsAt: undefined, lastUsedAt: undefined, uses: 0, version: 1,
  }
  return { record, key }
}

async function existing(store: KeyStore, id: string): Promise<KeyRecord> {
  const record = await store.byId(id)
  if (!record) throw new KeyActRefused('key_not_found', `there is no key ${JSON.stringify(id.slice(0, 64))}`)
  return record
}

/** Does `attempt` again when somebody else wrote the record in between. */
async function persistently<T>(attempt: () => Promise<T | 'conflict'>): Promise<T> {
  for (let tries = 0; tries < ATTEMPTS; tries += 1) {
    const result = await attempt()
    if (result !== 'conflict') return result
  }
  throw new KeyActRefused('key_conflict', 'the key is being changed by somebody else at the same time; try again')
}

/** The id of a key that somebody asks for by a token of theirs: the same on every replica, so the store itself refuses a second one. */
const idOf = (prefix: string, token: string): string => `key_${base62Of(sha256(`postern id of a key\0${prefix}\0${token}`), 16)}`

async function issue(options: KeyServiceOptions, text: KeyRequestText, { token, max }: IssueConditions): Promise<IssuedKey> {
  const request = checkKeyRequest(text, options.clock(), options.tiers)
  const id = token === undefined ? undefined : idOf(options.prefix, token)
  return persistently(async () => {
    const { key, record: made } = recordFor(options, request)
    const record = { ...made, ...(id !== undefined && { id }) }
    const outcome = await options.store.commit([{ kind: 'insert', record }], max === undefined ? undefined : { owner: record.owner, max, now: options.clock() })
    if (outcome === 'committed') return { key, record }
    if (outcome === 'full') throw new KeyActRefused('request_invalid', `there are ${max} keys that work, and there may be no more; revoke one first`)
    if (id === undefined || (await options.store.byId(id)) === undefined) return 'conflict'
    throw new KeyActRefused('key_exists', `${id} was already created with this token, and its text is shown once; revoke it if it was lost`)
  })
}

function refuseEnded(record: KeyRecord, now: EpochMs): void {
  const state = stateOf(record, now)
  if (state === 'revoked' || state === 'expired') throw new KeyActRefused('key_ended', `${record.id} is ${state}; issue a new key instead`)
}

/** Makes the successor and marks the old key in one write: there is no moment with half a rotation. */
async function rotate(options: KeyServiceOptions, id: string, wishes: RotateOptions): Promise<IssuedKey> {
  return persistently(async () => {
    const now = options.clock()
    const old = await existing(options.store, id)
    refuseEnded(old, now)
    if (old.replacedBy !== undefined) throw new KeyActRefused('key_replaced', `${old.id} was already replaced by ${old.replacedBy}`)
    const life = old.expiresAt === undefined ? undefined : old.expiresAt - old.createdAt
    const expiresAt = expiryOf(wishes.expires, now) ?? (life === undefined ? undefined : now + life)
    const { owner, email, tier, status, scopes, roles, name, notes, environment, allowedNetworks, limits } = old
    const issued = recordFor(options, { owner, email, tier, status, scopes, roles, name, notes, environment, allowedNetworks, limits, expiresAt }, old.id)
    const replaced = { ...old, replacedBy: issued.record.id, overlapEndsAt: now + (wishes.overlapMs ?? DEFAULT_OVERLAP_MS) }
    const outcome = await options.store.commit([{ kind: 'insert', record: issued.record }, { kind: 'update', record: replaced }])
    return outcome === 'conflict' ? 'conflict' : issued
  })
}

/** Writes what `change` makes of a record; undefined means that nothing is left to do. */
async function amend(store: KeyStore, id: string, change: (record: KeyRecord) => KeyRecord | undefined): Promise<{ record: KeyRecord; changed: boolean }> {
  return persistently(async () => {
    const record = await existing(store, id)
    const changed = change(record)
    if (!changed) return { record, changed: false }
    return (await store.commit([{ kind: 'update', record: changed }])) === 'conflict' ? 'conflict' : { record: changed, changed: true }
  })
}

/** Builds the acts. Each is told to `onAct` once, after it is durable; one that changed nothing is not. */
export function createKeyService(options: KeyServiceOptions): KeyService {
  const { store, clock, onAct } = options

  const tell = (act: KeyAct['act'], actor: string, { id, owner }: KeyRecord, successor?: string): void =>
    onAct({ act, actor, at: clock(), keyId: id, owner, ...(successor === undefined ? {} : { newKeyId: successor }) })

  const amended = async (act: KeyAct['act'], id: string, actor: string, change: (record: KeyRecord) => KeyRecord | undefined): Promise<KeyRecord> => {
    const { record, changed } = await amend(store, id, change)
    if (changed) tell(act, actor, record)
    return record
  }

  const withStatus = (status: KeyRecord['status']) => (record: KeyRecord): KeyRecord | undefined => {
    refuseEnded(record, clock())
    return record.status === status ? undefined : { ...record, status }
  }

  const promised = async <T>(value: MaybePromise<T>): Promise<T> => value

  return {
    issue: async (request, actor, conditions = {}) => {
      const issued = await issue(options, request, conditions)
      tell('issued', actor, issued.record)
      return issued
    },
    list: async (query) => promised(store.list(query)),
    show: (id) => existing(store, id),
    rotate: async (id, wishes, actor) => {
      const issued = await rotate(options, id, wishes)
      tell('rotated', actor, { ...issued.record, id }, issued.record.id)
      return issued
    },
    revoke: (id, actor) => amended('revoked', id, actor, (record) => (record.revokedAt === undefined ? { ...record, revokedAt: clock() } : undefined)),
    suspend: (id, actor) => amended('suspended', id, actor, withStatus('suspended')),
    resume: (id, actor) => amended('resumed', id, actor, withStatus('active')),
  }
}
