import { unknownName } from '../../config/finding.ts'
import type { EpochMs } from '../../base/time.ts'
import type { ConfigPath } from '../../config/mistake.ts'
import type { KeyService } from '../../keys/key-service.ts'
import type { TestClock } from './test-clock.ts'
import type { Facts, KeyHolder, Place, TokenIssuer } from './facts.ts'
import { mintSession, mintToken, type MintContext } from './mint.ts'
import type { KeySpec, SessionSpec, TestCase, TokenSpec } from './table-schema.ts'

type Fields = readonly (readonly [name: string, value: string])[]

/** Makes a credential of a case, for a request at this instant. */
export type Plan = (now: EpochMs) => Promise<Fields>

/** What plans are made with. */
export interface Planning {
  readonly facts: Facts
  readonly mint: MintContext
  readonly clock: TestClock
  /** Stores of issued keys, by authenticator. */
  readonly services: ReadonlyMap<string, KeyService>
  readonly complain: (path: ConfigPath, message: string) => void
}

const ACTOR = 'policy-test'

function put(place: Place | undefined, value: string): Fields {
  if (place === undefined || 'bearer' in place) return [['Authorization', `Bearer ${value}`]]
  return 'header' in place ? [[place.header, value]] : [['Cookie', `${place.cookie}=${value}`]]
}

interface Candidate { readonly authenticator: string; readonly names?: readonly string[] }

/** The one that is named, or the only one. */
function chosen<T extends Candidate>(what: string, { named, among, path }: { readonly named: string | undefined; readonly among: readonly T[]; readonly path: ConfigPath }, { facts, complain }: Planning): T | undefined {
  const called = among.flatMap(({ authenticator, names = [] }) => [authenticator, ...names])
  if (named === undefined) {
    const [only, ...others] = among
    if (only && others.length === 0) return only
    const why = [...facts.without].map(([name, reason]) => `${name}: ${reason}`).join('; ')
    complain(path, only ? `say which ${what}: ${called.join(', ')}` : `this config has no ${what} that a credential can be made for${why && ` (${why})`}`)
    return undefined
  }
  const found = among.find(({ authenticator, names = [] }) => authenticator === named || names.includes(named))
  if (found) return found
  const why = facts.without.get(named)
  complain(path, why === undefined ? unknownName(what, named, [...new Set(called)]) : `nothing can be made for ${named}: ${why}`)
  return undefined
}

function tokenPlan(written: string | TokenSpec, path: ConfigPath, planning: Planning): Plan | undefined {
  const { facts: { issuers }, mint, complain } = planning
  if (typeof written === 'string') return async () => put(issuers[0]?.places[0], written)
  const issuer: TokenIssuer | undefined = chosen('issuer', { named: written.issuer, among: issuers, path: written.issuer === undefined ? path : [...path, 'issuer'] }, planning)
  if (!issuer) return undefined
  const { algorithms, secret } = issuer
  const { algorithm } = written
  if (algorithm !== undefined && (issuer.kind === 'opaque' || (algorithm.startsWith('HS') ? secret === undefined : !/^(ES|RS|PS)(256|384|512)$|^EdDSA$/.test(algorithm)))) complain([...path, 'algorithm'], `no token can be signed so here. One of: ${algorithms.join(', ') || 'none, its tokens are opaque'}`)
  return async (now) => put(issuer.places[0], await mintToken(issuer, written, mint, now))
}

/** Issues a key while the clock stands before its end, since nobody is given a key that is over already. */
async function issuedKey(service: KeyService, spec: NonNullable<KeySpec['issued']>, clock: TestClock): Promise<string> {
  const now = clock.now()
  const { expires, state, allowed_networks: allowedNetworks, ...request } = spec
  clock.set(now + Math.min(expires ?? 0, 0) - 60_000)
  try {
    const { record, key } = await service.issue({ ...request, ...(allowedNetworks && { allowedNetworks }), ...(expires !== undefined && { expires: new Date(now + expires).toISOString() }) }, ACTOR)
    if (state === 'suspended') await service.suspend(record.id, ACTOR)
    if (state === 'revoked') await service.revoke(record.id, ACTOR)
    return key
  } finally {
    clock.set(now)
  }
}

function storedPlan(holder: KeyHolder, spec: NonNullable<KeySpec['issued']>, path: ConfigPath, { services, clock, complain }: Planning): Plan | undefined {
  const service = services.get(holder.authenticator)
  if (!service) {
    complain(path, `${holder.authenticator} has no store, so it has no issued keys; name one by "id" or write its "value"`)
    return undefined
  }
  return async () => put(holder.places[0], await issuedKey(service, spec, clock))
}

function keyPlan(written: string | KeySpec, path: ConfigPath, planning: Planning): Plan | undefined {
  const spec: KeySpec = typeof written === 'string' ? { value: written } : written
  const { value, id, issued } = spec
  const { complain, facts: { holders } } = planning
  if ([value, id, issued].filter((given) => given !== undefined).length !== 1) complain(path, 'expected exactly one of value, id and issued')
  const holder: KeyHolder | undefined = chosen('authenticator of API keys', { named: spec.authenticator, among: holders, path: spec.authenticator === undefined ? path : [...path, 'authenticator'] }, planning)
  if (!holder) return undefined
  if (issued) return storedPlan(holder, issued, [...path, 'issued'], planning)
  const key = value ?? holder.keys.get(id ?? '')
  if (key === undefined && id !== undefined) complain([...path, 'id'], `${unknownName('key', id, [...holder.keys.keys()])}. Keys of which the config has a digest only are written as "value"`)
  return key === undefined ? undefined : async () => put(holder.places[0], key)
}

function sessionPlan(spec: SessionSpec, path: ConfigPath, planning: Planning): Plan | undefined {
  const session = chosen('authenticator of sessions', { named: spec.authenticator, among: planning.facts.sessions, path: spec.authenticator === undefined ? path : [...path, 'authenticator'] }, planning)
  return session && (async (now) => [['Cookie', `${session.family.name}=${await mintSession(session, spec, now)}`]])
}

/** Every credential of a case. What cannot be made is complained about, at its place. */
export function planCase({ token, key, session }: TestCase, path: ConfigPath, planning: Planning): readonly Plan[] {
  const plans = [
    token === undefined ? undefined : tokenPlan(token, [...path, 'token'], planning),
    key === undefined ? undefined : keyPlan(key, [...path, 'key'], planning),
    session === undefined ? undefined : sessionPlan(session, [...path, 'session'], planning),
  ]
  return plans.filter((plan) => plan !== undefined)
}
