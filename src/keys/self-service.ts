import { createSingleFlight } from '../base/single-flight.ts'
import type { Clock, DurationMs } from '../base/time.ts'
import type { KeyRecord } from './key-record.ts'
import { expiryOf, KeyActRefused } from './key-request.ts'
import type { IssuedKey, KeyService } from './key-service.ts'

/** Somebody who is signed in, as far as tokens of their own go. */
export interface TokenOwner {
  readonly subject: string
  /** For the audit log: `user:web:alice`. */
  readonly actor: string
  readonly email: string | undefined
  readonly tier: string | undefined
  /** What they may do themselves; a token may do no more. */
  readonly scopes: ReadonlySet<string>
}

export interface OwnTokenRequest {
  readonly name?: string | undefined
  readonly scopes?: readonly string[] | undefined
  /** `30d`, or an RFC 3339 instant. Default: the longest life. */
  readonly expires?: string | undefined
}

/** The acts of people on tokens of their own. All reject with {@link KeyActRefused} or `KeyStoreUnavailable`. */
export interface OwnTokens {
  readonly list: (owner: TokenOwner) => Promise<readonly KeyRecord[]>
  readonly create: (owner: TokenOwner, request: OwnTokenRequest) => Promise<IssuedKey>
  /** Somebody else's token does not exist for them. */
  readonly revoke: (owner: TokenOwner, id: string) => Promise<KeyRecord>
}

export interface OwnTokensOptions {
  readonly service: KeyService
  readonly clock: Clock
  /** Scopes that any token may have; undefined: all that its owner has. */
  readonly scopes: ReadonlySet<string> | undefined
  /** Tokens that work, per person. */
  readonly maxTokens: number
  readonly maxLifetimeMs: DurationMs
}

/** More than anybody may have at once; what has ended long ago is not shown. */
const SHOWN = 200
const PAGE = 1_000

const refuse = (message: string): never => {
  throw new KeyActRefused('request_invalid', message)
}

async function allOf({ service }: OwnTokensOptions, owner: string): Promise<readonly KeyRecord[]> {
  const all: KeyRecord[] = []
  let after: string | undefined
  do {
    const page = await service.list({ owner, limit: PAGE, after })
    all.push(...page.items)
    after = page.next
  } while (after !== undefined)
  return all
}

/** @throws {KeyActRefused} for a scope that is not theirs to give */
function scopesOf({ scopes: allowed }: OwnTokensOptions, owner: TokenOwner, wanted: readonly string[] = []): readonly string[] {
  const foreign = wanted.find((scope) => !owner.scopes.has(scope) || (allowed !== undefined && !allowed.has(scope)))
  return foreign === undefined ? wanted : refuse(`the scope ${JSON.stringify(foreign.slice(0, 128))} is not yours to give`)
}

function expiresOf({ clock, maxLifetimeMs }: OwnTokensOptions, wanted: string | undefined): string {
  const now = clock()
  const latest = now + maxLifetimeMs
  const at = expiryOf(wanted, now) ?? latest
  if (at > latest) return refuse(`a token may live for ${Math.floor(maxLifetimeMs / 86_400_000)} days at most`)
  return new Date(at).toISOString()
}

/** Builds the acts. Whose they are is never read from a request: it is who was authenticated. */
export function createOwnTokens(options: OwnTokensOptions): OwnTokens {
  const { service, maxTokens } = options
  const flights = createSingleFlight<KeyRecord>()

  const create = async (owner: TokenOwner, { name, scopes, expires }: OwnTokenRequest): Promise<IssuedKey> => {
    const request = { owner: owner.subject, email: owner.email, tier: owner.tier, name, scopes: scopesOf(options, owner, scopes), expires: expiresOf(options, expires) }
    return service.issue(request, owner.actor, { max: maxTokens })
  }

  const revoke = async (owner: TokenOwner, id: string): Promise<KeyRecord> => {
    const record = await service.show(id)
    // The same words as for a token that there is not.
    if (record.owner !== owner.subject) throw new KeyActRefused('key_not_found', `there is no key ${JSON.stringify(id.slice(0, 64))}`)
    return service.revoke(id, owner.actor)
  }

  return {
    list: async ({ subject }) => (await allOf(options, subject)).toReversed().slice(0, SHOWN),
    create,
    revoke: (owner, id) => flights.run(`${owner.subject}\0${id}`, () => revoke(owner, id)),
  }
}
