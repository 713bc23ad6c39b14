// An issuer that cannot be asked (T41, T7). The last "done when" of issue 2: refused, hung, answering 500, HTML or a 5 MB body, it never
// yields a wrong allow or a 401 for a good token, and the pipe keeps answering within its deadline. Repeats theauth-go 2.7.1 and
// authcore 1.11.1 (fetches without end), CVE-2026-26998 (Traefik, unbounded body) and CVE-2025-22149 (jwkset).
import { afterAll, describe, expect, it } from 'vitest'
import { type Behaviour, type Issuer, startIssuer } from '../support/issuer.ts'
import { createForge } from './forge.ts'
import { bearer, bytesOf, startTarget } from './target.ts'

const BROKEN: readonly Behaviour[] = ['refuse', 'hang', 'error', 'html', 'large', 'redirect', 'gzip', 'brotli', 'slow', 'truncated']
const FETCH_MS = 300
/** Deadline of a fetch, and what a busy machine may add. */
const DEADLINE_MS = FETCH_MS + 700
const jwks = { timeout: `${FETCH_MS}ms`, cooldown: '50ms', max_age: '1h' }
const mallory = createForge()

/** Issuers that are broken from the start, each with an authenticator of its own; and one that breaks later. */
const cold: ReadonlyMap<string, Issuer> = new Map(await Promise.all(BROKEN.map(async (behaviour) => {
  const issuer = await startIssuer()
  issuer.behave(behaviour)
  return [behaviour, issuer] as const
})))
const [gone, back] = [await startIssuer(), await startIssuer()]
await gone.close()
back.behave('error')
afterAll(async () => void (await Promise.all([back, ...cold.values()].map(({ close }) => close()))))

const { attack, token, issuer } = await startTarget({
  config: ({ issuer: warm }) => {
    const all = [['warm', warm], ['gone', gone], ['back', back], ...cold] as const
    const of = ([name, { url, jwksUrl }]: readonly [string, Issuer], discovered: boolean): [string, object] => [`${name}${discovered ? '-discovered' : ''}`, { type: 'jwt', issuer: url, audience: ['api'], ...(discovered ? {} : { jwks_url: jwksUrl }), jwks }]
    return {
      authenticators: { ...Object.fromEntries([...all.map((one) => of(one, false)), ...[...cold].map((one) => of(one, true))]), anyone: { type: 'anonymous' } },
      identity: { 'X-User-Id': 'sub' },
      routes: [
        ...all.map(([name]) => ({ match: { path: `/${name}/**` }, auth: [name] })),
        ...all.map(([name]) => ({ match: { path: `/optional-${name}/**` }, auth: [name, 'anyone'] })),
        ...[...cold].map(([name]) => ({ match: { path: `/discovered-${name}/**` }, auth: [`${name}-discovered`] })),
      ],
    }
  },
})

async function ask(path: string, text: string): Promise<number> {
  const start = performance.now()
  const { statuses, decided } = await attack(bytesOf(`GET ${path}`, [bearer(text), 'Connection: close']))
  expect(performance.now() - start, 'it answers within its deadline').toBeLessThan(2 * DEADLINE_MS)
  for (const { durationMs } of decided) expect(durationMs).toBeLessThan(DEADLINE_MS)
  return statuses[0]!
}

it('an issuer that comes back is used without a restart', async () => {
  const text = await back.mint()
  expect(await ask('/back/x', text)).toBe(503)
  back.behave('ok')
  await expect.poll(() => ask('/back/x', text), { timeout: 12_000, interval: 200 }).toBe(200)
}, 20_000)

describe.each(BROKEN)('an issuer that was never reached (%s)', (behaviour) => {
  const theirs = cold.get(behaviour)!
  it('makes a good token 503, by key set and by discovery: neither a yes nor a no', async () => {
    const text = await theirs.mint()
    expect(await ask(`/${behaviour}/x`, text)).toBe(503)
    expect(await ask(`/discovered-${behaviour}/x`, text)).toBe(503)
    expect(await ask(`/optional-${behaviour}/x`, text)).toBe(503)
    expect(theirs.requests.redirected).toBe(0)
  })

  it('never makes a forged one good', async () => {
    const claims = { iss: theirs.url, aud: 'api', sub: 'root', exp: Math.floor(Date.now() / 1_000) + 300 }
    for (const kid of ['es256-1', 'unknown']) expect([401, 503]).toContain(await ask(`/${behaviour}/x`, mallory.token(claims, { alg: 'ES256', kid })))
    expect(await ask(`/${behaviour}/x`, mallory.token(claims, { alg: 'none' }))).toBe(401)
  })

  it('is not asked by every request', async () => {
    const before = theirs.requests.jwks
    for (let nth = 0; nth < 20; nth += 1) await ask(`/${behaviour}/x`, await theirs.mint({ jti: String(nth) }))
    expect(theirs.requests.jwks - before).toBeLessThanOrEqual(3)
  })
})

it('an issuer that nobody listens for makes a good token 503', async () => {
  expect(await ask('/gone/x', await gone.mint())).toBe(503)
})

describe.each(BROKEN)('an issuer that was reached once and then breaks (%s)', (behaviour) => {
  it('changes nothing for known keys, and makes unknown ones 503', async () => {
    expect(await ask('/warm/x', await token())).toBe(200)
    issuer.behave(behaviour)
    // Past the cooldown, so that the issuer is asked again.
    await new Promise((resolve) => setTimeout(resolve, 60))
    const [known, unknown] = [await token({ jti: behaviour }), await issuer.mint({}, { kid: `new-${behaviour}` })]
    expect(await ask('/warm/x', unknown)).toBe(503)
    expect(await ask('/optional-warm/x', unknown)).toBe(503)
    expect(await ask('/warm/x', known)).toBe(200)
    expect(await ask('/warm/x', mallory.token({ iss: issuer.url, aud: 'api', sub: 'root', exp: 9e9 }, { alg: 'ES256', kid: issuer.kid('ES256') }))).toBe(401)
    issuer.behave('ok')
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(await ask('/warm/x', unknown)).toBe(401)
    expect(await ask('/warm/x', known)).toBe(200)
  })
})
