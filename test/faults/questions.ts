import { generateKey } from '../../src/keys/key-format.ts'
import type { EchoUpstream } from '../support/echo-upstream.ts'
import { ADMIN_TOKEN, type NetworkPlace, type Places, STATIC_KEY } from './places.ts'

/** `turning`: the fault has just come, and what was known may still be believed. */
export type Phase = 'before' | 'turning' | 'during' | 'pause' | 'after' | 'over'

/** One kind of request: what is sent, and what it comes to when all is well. */
export interface Question {
  readonly place: NetworkPlace | 'keys_sqlite' | 'bystander'
  /** Heading of its column. */
  readonly column: string
  readonly path: string
  /** Headers of the next request. */
  readonly headers: (phase: Phase) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>
  /** Never to be let in. */
  readonly forged?: boolean
  /** What it asks is broken before everything else is. */
  readonly brokenFirst?: boolean
  /** Forward-auth has no upstream to fail. */
  readonly inlineOnly?: boolean
}

/** The answer when all is well. */
export const healthy = ({ forged = false }: Question): number => (forged ? 401 : 200)

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

/** Gives the entries one by one, for ever. */
function roundRobin<T>(of: readonly T[]): () => T {
  let next = 0
  return () => of[next++ % of.length] as T
}

const withStatic: Question['headers'] = () => ({ 'x-static': STATIC_KEY })
const withWrongStatic: Question['headers'] = () => ({ 'x-static': `${STATIC_KEY}-not` })

/** Another character in the middle of the signature. */
const spoiled = (token: string): string => token.replace(/.(?=.{20}$)/, (letter) => (letter === 'A' ? 'B' : 'A'))

const TOKENS = 20

/** Of an issuer whose keys are known, of one that has a new key, and of one that was never reached. Made anew for each round, when keys have changed. */
async function issuerQuestions({ issuer }: Places): Promise<readonly Question[]> {
  const known = roundRobin(await Promise.all(Array.from({ length: TOKENS }, (_, n) => issuer.mint({ jti: `known-${n}` }, { expiresIn: 3_600 }))))
  return [
    { place: 'issuer', column: 'known key', path: '/issuer/known', headers: () => bearer(known()) },
    { place: 'issuer', column: 'new key', path: '/issuer/new', headers: async (phase) => bearer(phase === 'before' || phase === 'turning' ? known() : await issuer.mint()) },
    { place: 'issuer', column: 'no keys yet', path: '/cold/good', headers: () => bearer(known()), brokenFirst: true },
    { place: 'issuer', column: 'forged', path: '/issuer/forged', headers: () => bearer(spoiled(known())), forged: true },
  ]
}

function introspectionQuestions(): readonly Question[] {
  let serial = 0
  return [
    { place: 'introspection', column: 'known', path: '/introspection/known', headers: () => bearer('good-and-known') },
    { place: 'introspection', column: 'new', path: '/introspection/new', headers: () => bearer(`good-${(serial += 1)}`) },
    { place: 'introspection', column: 'forged', path: '/introspection/forged', headers: () => bearer(`bad-${(serial += 1)}`), forged: true },
  ]
}

async function supabaseQuestions({ gotrue }: Places): Promise<readonly Question[]> {
  const account = gotrue.accounts.add({ email: 'alice@example.com' })
  const known = await gotrue.accessToken(account)
  return [
    { place: 'supabase', column: 'known', path: '/supabase/known', headers: () => bearer(known) },
    { place: 'supabase', column: 'new', path: '/supabase/new', headers: async () => bearer(await gotrue.accessToken(account)) },
    { place: 'supabase', column: 'forged', path: '/supabase/forged', headers: async () => bearer(spoiled(await gotrue.accessToken(account))), forged: true },
  ]
}

const limitQuestions: readonly Question[] = [
  { place: 'limits', column: '`local`', path: '/limits/local/x', headers: withStatic },
  { place: 'limits', column: '`deny`', path: '/limits/deny/x', headers: withStatic },
  { place: 'limits', column: '`allow`', path: '/limits/allow/x', headers: withStatic },
  { place: 'limits', column: 'forged', path: '/limits/allow/forged', headers: withWrongStatic, forged: true },
]

/** Of each store: those that are used while all is well, and those of one round that are not used before its fault. */
const [SPENT, FRESH] = [30, 10]

/** Makes keys through the admin API. */
export async function makeKeys(adminUrl: string, authenticator: string, rounds: number): Promise<readonly string[]> {
  const made: string[] = []
  for (let n = 0; n < 1 + SPENT + FRESH * rounds; n += 1) {
    const answer = await fetch(`${adminUrl}/v1/keys?authenticator=${authenticator}`, { method: 'POST', headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }, body: JSON.stringify({ owner: `user_${n}` }) })
    const { key } = (await answer.json()) as { key?: string }
    if (key === undefined) throw new Error(`no key of ${authenticator}: ${answer.status}`)
    made.push(key)
  }
  return made
}

/** A key that was used lately, keys that were never used, and keys that have the right shape and were never made. */
export function keyQuestions(place: 'keys_redis' | 'keys_postgres' | 'keys_sqlite', keys: readonly string[], round: number): readonly Question[] {
  const [known = '', ...others] = keys
  const [spent, fresh] = [roundRobin(others.slice(0, SPENT)), others.slice(SPENT + FRESH * round).slice(0, FRESH)]
  const next = roundRobin(fresh)
  return [
    { place, column: 'known', path: `/${place}/known`, headers: () => ({ 'x-key': known }) },
    { place, column: 'new', path: `/${place}/new`, headers: (phase) => ({ 'x-key': phase === 'during' ? next() : spent() }) },
    { place, column: 'unknown', path: `/${place}/forged`, headers: () => ({ 'x-key': generateKey('ak_live') }), forged: true },
  ]
}

/** Everything that is asked in a round, by what can be broken. */
export async function prepareQuestions(places: Places, rounds: number): Promise<{ readonly lasting: readonly Question[]; readonly ofRound: (round: number) => Promise<readonly Question[]> }> {
  const stores = (['keys_redis', 'keys_postgres'] as const).filter((name) => places.gates.has(name))
  const keys = await Promise.all(stores.map((name) => makeKeys(places.postern.adminUrl, name, rounds)))
  const lasting: Question[] = [
    { place: 'bystander', column: 'bystander', path: '/bystander/x', headers: withStatic },
    { place: 'upstream', column: 'good', path: '/upstream/good', headers: withStatic, inlineOnly: true },
    { place: 'upstream', column: 'forged', path: '/upstream/forged', headers: withWrongStatic, forged: true, inlineOnly: true },
    ...introspectionQuestions(),
    ...(await supabaseQuestions(places)),
    ...(places.gates.has('limits') ? limitQuestions : []),
  ]
  return { lasting, ofRound: async (round) => [...(await issuerQuestions(places)), ...stores.flatMap((name, index) => keyQuestions(name, keys[index] ?? [], round))] }
}

/** Requests that must never have come through, by what the upstreams saw. */
export const letIn = (...upstreams: readonly EchoUpstream[]): readonly string[] => upstreams.flatMap(({ seen }) => seen).map(({ target }) => target).filter((target) => target.endsWith('/forged'))
