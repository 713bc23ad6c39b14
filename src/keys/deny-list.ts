import type { DurationMs, EpochMs, MaybePromise } from '../base/time.ts'
import type { Observer } from '../model/event.ts'
import type { DenyEntry, KeyStore } from './key-store.ts'
import { settle } from './settle.ts'
import { createStoreWatch } from './store-watch.ts'

/** What an accepted proof says of itself. */
export interface Proof {
  readonly authenticator: string
  readonly jti: string | undefined
  /** Everything that it may be called: the mapped subject and the `sub` it came from. */
  readonly sub: readonly string[]
  readonly sid: string | undefined
  /** Undefined: it does not say, and counts as issued before anything. */
  readonly issuedAt: EpochMs | undefined
}

/** `unknown`: the list could not be read. Never a statement about the proof. */
export type Standing = { readonly kind: 'clear' } | { readonly kind: 'denied'; readonly by: DenyEntry['kind'] } | { readonly kind: 'unknown'; readonly cause: string }

/** Whether proofs that are valid by themselves were ended. Answers at once while the list is fresh. Never rejects. */
export interface DenyList {
  readonly check: (proof: Proof, now: EpochMs) => MaybePromise<Standing>
}

export interface DenyListOptions {
  readonly store: KeyStore
  readonly observer: Observer
  /** Longest time without asking the store for changes. */
  readonly maxAgeMs?: DurationMs
  /** How long the list that is known goes on counting while the store cannot be asked; then nobody is let in by proofs that it may deny. */
  readonly graceMs?: DurationMs
}

type Entries = ReadonlyMap<string, DenyEntry>

const CLEAR: Standing = { kind: 'clear' }

const nameOf = (authenticator: string, kind: DenyEntry['kind'], value: string): string => `${kind}\0${authenticator}\0${value}`

const counts = (entry: DenyEntry | undefined, { issuedAt }: Proof, now: EpochMs): boolean =>
  entry !== undefined && entry.until > now && (entry.issuedBefore === undefined || issuedAt === undefined || issuedAt < entry.issuedBefore)

function standingIn(entries: Entries, proof: Proof, now: EpochMs): Standing {
  if (entries.size === 0) return CLEAR
  const named: readonly (readonly [DenyEntry['kind'], string | undefined])[] = [['jti', proof.jti], ['sid', proof.sid], ...proof.sub.map((sub) => ['sub', sub] as const)]
  for (const [kind, value] of named) {
    if (value === undefined) continue
    for (const authenticator of [proof.authenticator, '*']) {
      if (counts(entries.get(nameOf(authenticator, kind, value)), proof, now)) return { kind: 'denied', by: kind }
    }
  }
  return CLEAR
}

/** Holds the whole list in memory, which is short because every entry ends, and reads it anew when the store says that something was written. */
export function createDenyList({ store, observer, maxAgeMs = 250, graceMs = 300_000 }: DenyListOptions): DenyList {
  const watch = createStoreWatch({ store, observer, maxAgeMs, onChange: () => undefined })
  let entries: Entries | undefined
  let readAt: string | undefined
  let reading: Promise<Entries | string> | undefined

  const take = (list: readonly DenyEntry[], generation: string | undefined): Entries => {
    entries = new Map(list.map((entry) => [nameOf(entry.authenticator, entry.kind, entry.value), entry]))
    readAt = generation
    return entries
  }

  /** The generation is older than what is read under it, never newer. */
  const readAnew = (now: EpochMs): MaybePromise<Entries | string> => {
    if (reading) return reading
    const generation = watch.generation()
    const answer = settle(() => store.denied(now), (list): Entries | string => take(list, generation), (error) => (error instanceof Error ? error.message : 'the deny list could not be read'))
    if (!(answer instanceof Promise)) return answer
    reading = answer.finally(() => {
      reading = undefined
    })
    return reading
  }

  /** The list, or why there is none. */
  const current = (now: EpochMs): MaybePromise<Entries | string> =>
    settle(() => watch.look(now), (sight) => {
      if (sight.kind === 'lost') return entries && now - sight.since <= graceMs ? entries : sight.cause
      return entries && readAt === watch.generation() ? entries : readAnew(now)
    }, () => 'the deny list could not be read')

  return {
    check: (proof, now) => settle(() => current(now), (found): Standing => (typeof found === 'string' ? { kind: 'unknown', cause: found } : standingIn(found, proof, now)), (): Standing => ({ kind: 'unknown', cause: 'the deny list could not be read' })),
  }
}
