import type { EpochMs, MaybePromise } from '../base/time.ts'
import type { Credential } from '../model/credential.ts'
import type { Authenticator, Verification } from '../model/ports.ts'
import { companionLocation, withCompanion, type AssertedSubject } from './asserted-subject.ts'
import { challengeOf, createExtract, locationsOf, type Carrier } from './carriers.ts'

/**
 * One place where keys are kept: the config, a file, a store. Says `rejected` with `key_unknown` when the key is none of its own, and
 * then the next place is asked.
 */
export type KeyCheck = (credential: Credential, now: EpochMs) => MaybePromise<Verification>

export interface ApiKeySettings {
  readonly id: string
  readonly realm: string
  readonly forwardCredential: 'keep' | 'strip'
  readonly carriers: readonly Carrier[]
  /** Values without one of these are somebody else's. Empty: every value is meant for us. */
  readonly prefixes: readonly string[]
  /** Characters; shorter values are refused unseen. */
  readonly minLength: number
  readonly subject?: AssertedSubject | undefined
  /** In order; at least one. */
  readonly checks: readonly KeyCheck[]
  /** Where keys are, in words, for whoever wonders why one is unknown: `2 keys of the config`. */
  readonly places?: () => readonly string[]
  /** Where keys can be ended while they are in use. */
  readonly ended?: Authenticator['ended']
}

const UNKNOWN: Verification = { kind: 'rejected', reason: 'key_unknown' }

const isUnknown = (verification: Verification): boolean => verification.kind === 'rejected' && verification.reason === 'key_unknown'

/** Asks one place after the other until one knows the key. Stays synchronous for as long as they do. */
function firstToKnow(checks: readonly KeyCheck[], credential: Credential, now: EpochMs): MaybePromise<Verification> {
  const [check, ...rest] = checks
  if (!check) return UNKNOWN
  const next = (verification: Verification): MaybePromise<Verification> => (isUnknown(verification) && rest.length > 0 ? firstToKnow(rest, credential, now) : verification)
  const verification = check(credential, now)
  return verification instanceof Promise ? verification.then(next) : next(verification)
}

/** Adds where an unknown key was looked for. Never what was presented, or which keys there are. */
function withPlaces(verification: Verification, places: readonly string[]): Verification {
  return isUnknown(verification) && places.length > 0 ? { kind: 'rejected', reason: 'key_unknown', evidence: { looked_in: places.join(', ') } } : verification
}

/** Asks every place. */
function look({ checks, places = () => [] }: ApiKeySettings, credential: Credential, now: EpochMs): MaybePromise<Verification> {
  const verification = firstToKnow(checks, credential, now)
  return verification instanceof Promise ? verification.then((late) => withPlaces(late, places())) : withPlaces(verification, places())
}

/** Builds the authenticator of API keys, wherever they are kept. Which of two unlike keys was refused is never told from outside. */
export function createApiKeyAuthenticator(settings: ApiKeySettings): Authenticator {
  const { id, carriers, prefixes, minLength, subject } = settings
  const find = createExtract(carriers, (value) => prefixes.length === 0 || prefixes.some((prefix) => value.startsWith(prefix)))
  return {
    id,
    kind: 'api_key',
    challenge: challengeOf(carriers, settings.realm),
    carriers: [...locationsOf(carriers), ...(subject ? [companionLocation(subject)] : [])],
    forwardCredential: settings.forwardCredential,
    extract: (request) => (subject ? withCompanion(find(request), request, subject) : find(request)),
    ...(settings.ended && { ended: settings.ended }),
    verify: (credential, now) => (credential.value.length < minLength ? { kind: 'rejected', reason: 'key_malformed', evidence: { length: credential.value.length, expected: `at least ${minLength} characters` } } : look(settings, credential, now)),
  }
}
