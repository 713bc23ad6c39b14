import { createClient, abandon, dribble, type Outcome } from './ask.ts'
import type { KeyChurn } from './keys.ts'
import type { Scene } from './scene.ts'
import type { Kind, Tally } from './tally.ts'

const TOKENS = 40
const TICK_MS = 20
/** More than this under way are not added to: the soak is not a flood. */
const MOST_AT_ONCE = 300

/** Tokens of callers who come again, and of one who comes once. */
interface Tokens { readonly known: readonly string[]; readonly fresh: () => Promise<string>; readonly signature: string; readonly kid: string; readonly audience: string }

async function mintAll({ issuer }: Scene): Promise<Tokens> {
  const mint = (n: number | string): Promise<string> => issuer.mint({ sub: `user-${n}` }, { expiresIn: 7_200 })
  const known = await Promise.all(Array.from({ length: TOKENS }, (_, n) => mint(n)))
  const [head, claims, signature = ''] = (known[0] ?? '').split('.')
  let serial = 0
  return {
    known,
    fresh: () => mint(`once-${(serial += 1) % 200}`),
    signature: [head, claims, signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))].join('.'),
    kid: await issuer.mint({}, { kid: 'nobody', expiresIn: 7_200 }),
    audience: await issuer.mint({ aud: 'others' }, { expiresIn: 7_200 }),
  }
}

type Act = (report: (kind: Kind) => (outcome: Outcome) => void) => Promise<void>

const pick = <T>(of: readonly T[]): T | undefined => of[Math.floor(Math.random() * of.length)]

/** What is done, and how often of a hundred times. */
function actsOf(scene: Scene, tokens: Tokens, keys: KeyChurn): { readonly acts: readonly (readonly [weight: number, act: Act])[]; readonly close: () => void } {
  const { port } = scene
  const client = createClient(port)
  const bearer = (token: string | undefined): Record<string, string> => ({ authorization: `Bearer ${token}` })
  const known = (): Record<string, string> => bearer(pick(tokens.known))
  const ask = (kind: Kind, path: string, headers: Record<string, string>, more: { method?: string; body?: Buffer; readAfterMs?: number; read?: (outcome: Outcome) => Outcome } = {}): Act => async (report) => {
    const { read = (outcome) => outcome, ...asked } = more
    const end = report(kind)
    end(read(await client.ask({ path, headers: { ...headers, 'x-kind': kind }, ...asked })))
  }
  const head = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${pick(tokens.known)}\r\nX-Kind: abandoned\r\n${more}\r\n`
  const leave = (bytes: () => string, heard: number): Act => () => abandon(port, bytes(), { heard, reset: Math.random() < 0.5 })
  const check = (kind: Kind, credential: () => Record<string, string>): Act => (report) =>
    ask(kind, '/_postern/forward', { ...credential(), 'x-forwarded-for': '203.0.113.7', 'x-forwarded-host': 'api.example', 'x-forwarded-proto': 'https', 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/quick' })(report)
  const withKey = (kind: Kind, key: () => string | undefined): Act => async (report) => {
    const value = key()
    // It may be revoked while the request is under way.
    if (value !== undefined) await ask(kind, '/quick', { 'x-api-key': value }, { read: (outcome) => (outcome === 401 && kind === 'key' && !keys.holds(value) ? 'overtaken' : outcome) })(report)
  }
  let serial = 0
  const acts: readonly (readonly [number, Act])[] = [
    [30, (report) => ask('jwt', '/quick', known())(report)],
    [6, async (report) => ask('newcomer', '/quick', bearer(await tokens.fresh()))(report)],
    [14, withKey('key', keys.good)],
    [2, withKey('revoked', keys.revoked)],
    [5, (report) => ask('opaque', '/quick', { 'x-token': `good-${(serial += 1) % 1_000}` })(report)],
    [8, (report) => ask('post', '/sink', known(), { method: 'POST', body: Buffer.alloc(Math.floor(Math.random() * 65_536), 'x') })(report)],
    [2, (report) => ask('big', '/big', known())(report)],
    [3, (report) => ask('slow', '/slow', known())(report)],
    [1, (report) => ask('slowReader', '/big', known(), { readAfterMs: 800 })(report)],
    [1, async (report) => {
      const end = report('slowWriter')
      end(await dribble(port, head('/quick').replace('abandoned', 'slowWriter'), { pieces: 8, pauseMs: 100 }))
    }],
    [8, check('check', known)],
    [3, leave(() => head('/slow'), 0)],
    [2, leave(() => head('/big'), 20_000)],
    [2, leave(() => head('/stream'), 3_000)],
    [2, leave(() => `POST /sink HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${pick(tokens.known)}\r\nX-Kind: abandoned\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(30_000)}`, 0)],
    [1, leave(() => 'GET /quick HTTP/1.1\r\nHost: a\r\nAuthoriz', 0)],
    [1, leave(() => '\x16\x03\x01\x00garbage\r\n\r\n', 1)],
    [2, (report) => ask('forgedSignature', '/quick', bearer(tokens.signature))(report)],
    [1, (report) => ask('forgedKid', '/quick', bearer(tokens.kid))(report)],
    [1, (report) => ask('forgedAudience', '/quick', bearer(tokens.audience))(report)],
    [1, (report) => ask('forgedKey', '/quick', { 'x-api-key': `ak_live_${'x'.repeat(49)}` })(report)],
    [1, (report) => ask('forgedOpaque', '/quick', { 'x-token': `bad-${serial % 1_000}` })(report)],
    [1, check('forgedCheck', () => bearer(tokens.signature))],
    [2, (report) => ask('missing', '/quick', {})(report)],
  ]
  return { acts, close: client.close }
}

export interface Traffic {
  readonly stop: () => Promise<void>
  /** Turns in which nothing was sent, since too much was under way. */
  readonly skipped: () => number
  /** For whoever talks to it otherwise. */
  readonly token: () => string
}

/** Sends `rate` requests per second of every kind until told to stop. */
export async function startTraffic(scene: Scene, { rate, tally, keys }: { readonly rate: number; readonly tally: Tally; readonly keys: KeyChurn }): Promise<Traffic> {
  const tokens = await mintAll(scene)
  const { acts, close } = actsOf(scene, tokens, keys)
  const sum = acts.reduce((total, [weight]) => total + weight, 0)
  const underWay = new Set<Promise<void>>()
  let skipped = 0
  const one = (): Act => {
    let at = Math.random() * sum
    return acts.find(([weight]) => (at -= weight) < 0)?.[1] ?? (async () => undefined)
  }
  let due = 0
  const timer = setInterval(() => {
    for (due += (rate * TICK_MS) / 1_000; due >= 1; due -= 1) {
      if (underWay.size >= MOST_AT_ONCE) {
        skipped += 1
        continue
      }
      const act = one()(tally.begin).finally(() => underWay.delete(act))
      underWay.add(act)
    }
  }, TICK_MS)
  return {
    stop: async () => {
      clearInterval(timer)
      await Promise.all(underWay)
      close()
    },
    skipped: () => skipped,
    token: () => tokens.known[0] ?? '',
  }
}
