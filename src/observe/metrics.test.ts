import { afterEach, describe, expect, it } from 'vitest'
import type { Allow, Attempt, Deny } from '../model/decision.ts'
import type { Denial } from '../model/denial.ts'
import type { DecidedEvent } from '../model/event.ts'
import type { QuotaPolicy } from '../model/quota.ts'
import { REASONS } from '../model/reason.ts'
import { createMetrics, type Metrics } from './metrics.ts'

const JWT: Attempt = { authenticatorId: 'idp', kind: 'jwt', outcome: 'authenticated' }
const POLICY: QuotaPolicy = { id: 'per-user', name: 'per-user', quota: 10, windowMs: 60_000, algorithm: 'fixed', onUnavailable: 'local', shadow: false, reported: false }

const wire = { id: 'r1', method: 'GET', path: '/', peer: '127.0.0.1' }
const deny = (denial: Denial, attempts: readonly Attempt[] = []): DecidedEvent => {
  const decision: Deny = { outcome: 'deny', stage: 'authenticate', denial, limits: [], attempts }
  return { face: 'proxy', wire, decision, durationMs: 0.4 }
}
// Of an allowed decision metrics read no more than this.
const allow = (more: Partial<Allow> = {}): DecidedEvent => ({
  face: 'proxy',
  wire,
  durationMs: 0.4,
  decision: { outcome: 'allow', limits: [], attempts: [JWT], principals: { primary: { kind: 'anonymous', authenticatorId: 'idp' }, byAuthenticator: new Map(), requiredScopes: new Map() }, ...more } as Allow,
})

let metrics: Metrics | undefined
const fresh = (): Metrics => {
  metrics = createMetrics({ version: '1.2.3', revision: 'abc' })
  return metrics
}
const scrape = async (): Promise<string[]> => (await metrics?.expose())?.body.split('\n') ?? []
const samples = async (): Promise<string[]> => (await scrape()).filter((line) => line !== '' && !line.startsWith('#'))
const series = async (): Promise<string[]> => (await samples()).map((line) => line.replace(/ \S+$/, ''))

afterEach(() => metrics?.close())

describe('decisions are counted by outcome, kind of authenticator and reason', () => {
  it.each<[string, DecidedEvent, string]>([
    ['an allowed request', allow(), 'outcome="allow",method="jwt",reason="none"'],
    ['a refused credential', deny({ kind: 'denial', code: 'credential_expired', reason: 'jwt_expired', challenges: [], authenticatorId: 'idp' }, [{ ...JWT, outcome: 'rejected' }]), 'outcome="deny",method="jwt",reason="jwt_expired"'],
    ['no credential', deny({ kind: 'denial', code: 'credential_missing', challenges: [], authenticatorId: 'idp' }, [{ ...JWT, outcome: 'missing' }]), 'outcome="deny",method="none",reason="credential_missing"'],
    ['an issuer that is down', deny({ kind: 'denial', code: 'dependency_unavailable', dependency: 'jwks' }, [{ ...JWT, outcome: 'unavailable' }]), 'outcome="error",method="jwt",reason="dependency_unavailable"'],
    ['a bug', deny({ kind: 'denial', code: 'internal' }), 'outcome="error",method="none",reason="internal"'],
    ['what observe mode let pass', allow({ observed: { stage: 'authorize', denial: { kind: 'denial', code: 'network_denied' } } }), 'outcome="allow",method="jwt",reason="network_denied"'],
  ])('%s', async (_title, event, labels) => {
    fresh().decided(event)
    expect(await samples()).toContain(`postern_decisions_total{${labels}} 1`)
  })

  it('counts each quota policy that was applied, and tells shadow refusals from real ones', async () => {
    const limit = { policy: POLICY, remaining: 0, resetsAt: 0, retryAt: 0 }
    fresh().decided(allow({ limits: [{ ...limit, exceeded: false }, { ...limit, exceeded: true }, { ...limit, policy: { ...POLICY, shadow: true }, exceeded: true }] }))
    expect(await samples()).toEqual(
      expect.arrayContaining(['allowed', 'limited', 'shadow_limited'].map((outcome) => `postern_rate_limit_decisions_total{policy="per-user",outcome="${outcome}"} 1`)),
    )
  })
})

describe('series', () => {
  const KNOWN = { kinds: ['jwt', 'api_key', 'supabase', 'introspection', 'session', 'remote'], providers: [{ name: 'idp', kind: 'jwt' }], policies: ['per-user'], identityHeaders: ['x-user-id'] } as const

  it('exist with 0 for every reason there is before anything happens', async () => {
    fresh().declare(KNOWN)
    const text = (await samples()).join('\n')
    for (const reason of Object.keys(REASONS)) expect(text).toContain(`reason="${reason}"} 0`)
    expect(text).toContain('postern_stripped_headers_total{header="x-user-id"} 0')
    expect(text).toContain('postern_provider_requests_total{provider="idp",operation="jwks",outcome="error"} 0')
  })

  it('stay the same in number whatever clients send', async () => {
    fresh().declare(KNOWN)
    const answer = (method: string, status: number): void => metrics?.answered({ face: 'proxy', method, status, durationMs: 1 })
    for (const status of [200, 799]) for (const method of ['GET', 'X']) answer(method, status)
    const before = await series()
    for (let n = 0; n < 10_000; n += 1) {
      answer(n % 2 === 0 ? 'GET' : `M${n}`, 800 + (n % 199))
      metrics?.decided({ ...deny({ kind: 'denial', code: 'route_not_found' }), wire: { id: `r${n}`, method: `M${n}`, path: `/p/${n}`, peer: `10.0.${n % 256}.1` } })
    }
    expect(await series()).toEqual(before)
  })

  it('of names that come from elsewhere are bounded', async () => {
    fresh()
    for (let n = 0; n < 1_000; n += 1) metrics?.stripped(`x-${n}`)
    const stripped = (await samples()).filter((line) => line.startsWith('postern_stripped_headers_total'))
    expect(stripped).toHaveLength(201)
    expect(stripped).toContain('postern_stripped_headers_total{header="_OTHER"} 800')
  })

  it('of checks that are fine again disappear', async () => {
    fresh().degraded(['provider_idp'])
    expect(await samples()).toContain('postern_degraded{what="provider_idp"} 1')
    metrics?.degraded([])
    expect((await series()).filter((line) => line.startsWith('postern_degraded'))).toEqual([])
  })
})

describe('what is open', () => {
  it('goes up and down', async () => {
    fresh().opened('request', 'proxy')
    metrics?.opened('request', 'proxy')
    metrics?.closed('request', 'proxy')
    metrics?.opened('tunnel', 'proxy')
    expect(await samples()).toEqual(expect.arrayContaining(['postern_requests_in_flight{face="proxy"} 1', 'postern_websocket_connections 1']))
  })
})

describe('a reload', () => {
  it('that fails leaves the time of the last good one', async () => {
    fresh().reloaded('success', 5_000)
    metrics?.reloaded('failure', 9_000)
    expect(await samples()).toEqual(
      expect.arrayContaining(['postern_config_last_reload_successful 0', 'postern_config_last_reload_success_timestamp_seconds 5', 'postern_config_reloads_total{outcome="failure"} 1']),
    )
  })
})

describe('the exposition', () => {
  it('gives every metric a help text and a type, counters alone end in _total', async () => {
    fresh()
    const lines = await scrape()
    for (const line of lines.filter((each) => each.startsWith('# TYPE'))) {
      const [, , name = '', type] = line.split(' ')
      expect(name.endsWith('_total'), name).toBe(type === 'counter')
      expect(lines.some((each) => each.startsWith(`# HELP ${name} `))).toBe(true)
    }
  })

  it.each([
    [undefined, 'text/plain'],
    ['*/*', 'text/plain'],
    ['application/openmetrics-text', 'application/openmetrics-text'],
    ['text/plain;q=0.3,application/openmetrics-text;version=1.0.0;q=0.8', 'application/openmetrics-text'],
    ['application/openmetrics-text;q=0.1, text/plain', 'text/plain'],
    ['application/openmetrics-text;q=0', 'text/plain'],
  ])('for Accept: %s is %s', async (accept, type) => {
    expect((await fresh().expose(accept)).contentType).toContain(type)
  })
})
