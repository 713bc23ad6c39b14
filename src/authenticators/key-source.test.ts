import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createManualTime, type ManualTime } from '../../test/support/manual-time.ts'
import { startIssuer, type Behaviour, type Issuer } from '../../test/support/issuer.ts'
import { SILENT, type Observer } from '../model/event.ts'
import { createKeySource, type KeyMemory, type KeySource, type KeySourceSettings } from './key-source.ts'

const BROKEN: readonly Behaviour[] = ['refuse', 'hang', 'error', 'html', 'large', 'redirect', 'gzip', 'brotli', 'slow', 'truncated']

let issuer: Issuer
beforeAll(async () => {
  issuer = await startIssuer()
})
beforeEach(async () => {
  issuer.behave('ok')
  issuer.discover(undefined)
  issuer.publish(undefined)
  await issuer.rotate()
  Object.assign(issuer.requests, { jwks: 0, discovery: 0, redirected: 0 })
})
afterAll(() => issuer.close())

interface Setting { readonly source: KeySource; readonly time: ManualTime; readonly notices: string[]; readonly settled: () => Promise<void> }

function setting(more: Partial<KeySourceSettings> = {}): Setting {
  const time = createManualTime()
  const notices: string[] = []
  const observer: Observer = { ...SILENT, noticed: (_level, code) => notices.push(code) }
  const settings = { id: 'idp', issuers: [issuer.url], jwksUrl: issuer.jwksUrl, timeoutMs: 150, maxAgeMs: 600_000, cooldownMs: 30_000, staleIfErrorMs: 3_600_000, ...more }
  const source = createKeySource(settings, { clock: time.clock, observer, schedule: time.schedule, random: () => 0.5 })
  // A fetch under way is over when the source has something scheduled again.
  const settled = async (): Promise<void> => {
    await expect.poll(() => time.waiting().length, { timeout: 3_000, interval: 5 }).toBe(1)
  }
  return { source, time, notices, settled }
}

const kids = (set: unknown): readonly string[] => [...(set as { thumbprints: ReadonlyMap<string, string> }).thumbprints.keys()]

describe('keys that were known before', () => {
  it('are used by a source that came with a reload while the issuer is down, for as long as they may be', async () => {
    const memory: KeyMemory = {}
    const settings = { id: 'idp', issuers: [issuer.url], jwksUrl: issuer.jwksUrl, timeoutMs: 150, maxAgeMs: 600_000, cooldownMs: 30_000, staleIfErrorMs: 3_600_000 }
    const time = createManualTime()
    const made = (more: Partial<KeySourceSettings> = {}): KeySource => createKeySource({ ...settings, ...more }, { clock: time.clock, observer: SILENT, schedule: time.schedule, memory })
    const before = made()
    await before.ready()
    issuer.behave('refuse')
    const after = made({ timeoutMs: 200, staleIfErrorMs: 60_000 })
    await after.ready()
    before.close()
    expect(after.state()).toMatchObject({ keys: 1, lastError: expect.any(String) })
    expect(kids(await after.keys(time.clock()))).toEqual([issuer.kid('ES256')])
    time.advance(660_001)
    expect(await after.keys(time.clock())).toMatchObject({ kind: 'unavailable' })
    after.close()
  })
})

describe('finding the keys', () => {
  it('asks nobody until somebody needs them', async () => {
    const { source, time } = setting()
    expect([source.current(time.clock()), issuer.requests.jwks, source.state()]).toEqual([undefined, 0, { keys: 0 }])
  })

  it('reads a key set by its URL', async () => {
    const { source, time } = setting()
    expect(kids(await source.keys(time.clock()))).toEqual([issuer.kid('ES256')])
    expect([issuer.requests.discovery, issuer.requests.jwks]).toEqual([0, 1])
  })

  it('finds the key set by discovery, once for several refreshes', async () => {
    const { source, time } = setting({ jwksUrl: undefined })
    await source.ready()
    time.advance(40_000)
    await source.refetched(time.clock())
    expect([issuer.requests.discovery, issuer.requests.jwks, source.state().keys]).toEqual([1, 2, 1])
  })

  it.each([
    ['another issuer', { issuer: 'https://evil.example', jwks_uri: 'http://127.0.0.1:1/jwks' }],
    ['the issuer with a slash more', () => ({ issuer: `${issuer.url}/`, jwks_uri: issuer.jwksUrl })],
    ['no issuer', () => ({ jwks_uri: issuer.jwksUrl })],
    ['no key set', () => ({ issuer: issuer.url })],
    ['a key set in a file', () => ({ issuer: issuer.url, jwks_uri: 'file:///etc/passwd' })],
    ['a key set on a plain-http host', () => ({ issuer: issuer.url, jwks_uri: 'http://idp.example.com/jwks' })],
  ])('does not believe a discovery document that names %s', async (_title, document) => {
    issuer.discover(typeof document === 'function' ? document() : document)
    const { source, time } = setting({ jwksUrl: undefined })
    expect(await source.keys(time.clock())).toMatchObject({ kind: 'unavailable', dependency: 'idp' })
    expect(issuer.requests.jwks).toBe(0)
  })

  it('asks once when a thousand requests need them at once', async () => {
    const { source, time } = setting()
    await Promise.all(Array.from({ length: 1_000 }, () => source.keys(time.clock())))
    expect(issuer.requests.jwks).toBe(1)
  })
})

describe('an issuer that is broken from the start', () => {
  it.each(BROKEN)('(%s) makes the keys unavailable within the deadline, and is not asked by every request', async (behaviour) => {
    issuer.behave(behaviour)
    const { source, time } = setting()
    const answers = await Promise.all(Array.from({ length: 50 }, () => source.keys(time.clock())))
    for (const answer of answers) expect(answer).toMatchObject({ kind: 'unavailable', dependency: 'idp' })
    expect(source.keys(time.clock())).toMatchObject({ kind: 'unavailable', retryAfterMs: 875 })
    expect(issuer.requests).toMatchObject({ jwks: 1, redirected: 0 })
    expect(source.state()).toMatchObject({ keys: 0, lastError: expect.any(String) })
  })

  it('is tried again by itself, less and less often', async () => {
    issuer.behave('error')
    const { source, time, settled } = setting()
    await source.ready()
    for (const [attempt, delay] of [875, 1_750, 3_500, 7_000, 14_000, 26_250, 26_250].entries()) {
      expect(time.waiting()).toEqual([delay])
      time.advance(delay)
      await settled()
      expect(issuer.requests.jwks).toBe(attempt + 2)
    }
    issuer.behave('ok')
    time.advance(30_000)
    await settled()
    expect(source.current(time.clock())?.size).toBe(1)
  })

  it('is ready when it has been tried once', async () => {
    issuer.behave('refuse')
    const { source } = setting()
    await source.ready()
    await source.ready()
    expect(issuer.requests.jwks).toBe(1)
  })
})

describe('an issuer that breaks later', () => {
  it.each(BROKEN)('(%s) never costs the good set', async (behaviour) => {
    const { source, time, settled } = setting()
    await source.ready()
    issuer.behave(behaviour)
    time.advance(600_000)
    expect(source.keys(time.clock())).toMatchObject({ size: 1 })
    await settled()
    expect(source.keys(time.clock())).toMatchObject({ size: 1 })
    expect(source.state()).toMatchObject({ keys: 1, ageMs: 600_000, lastError: expect.any(String) })
  })

  it('is believed for as long as configured, and no longer', async () => {
    const { source, time, settled } = setting({ staleIfErrorMs: 1_000_000 })
    await source.ready()
    issuer.behave('refuse')
    time.advance(1_600_000)
    expect(source.current(time.clock())?.size).toBe(1)
    await settled()
    time.advance(1)
    expect(source.current(time.clock())).toBeUndefined()
    await settled()
    expect(await source.keys(time.clock())).toMatchObject({ kind: 'unavailable' })
  })
})

describe('refreshing', () => {
  it('happens in the background before the set is too old', async () => {
    const { source, time, settled } = setting()
    await source.ready()
    expect(time.waiting()).toEqual([525_000])
    time.advance(525_000)
    await settled()
    expect([issuer.requests.jwks, source.state().ageMs]).toEqual([2, 0])
  })

  it('replaces the set, so that a withdrawn key ends with it', async () => {
    const { source, time, notices, settled } = setting()
    await source.ready()
    const before = kids(source.current(time.clock()))
    await issuer.rotate()
    time.advance(600_000)
    await settled()
    expect(kids(source.current(time.clock()))).not.toEqual(before)
    expect(notices).toContain('jwks_keys_removed')
  })

  it('keeps the very same set object when nothing changed', async () => {
    const { source, time, settled } = setting()
    await source.ready()
    const before = source.current(time.clock())
    time.advance(600_000)
    await settled()
    expect(source.current(time.clock())).toBe(before)
  })

  it('takes an empty set at its word, and says so', async () => {
    const { source, time, notices, settled } = setting()
    await source.ready()
    issuer.behave('empty')
    time.advance(600_000)
    await settled()
    expect([source.current(time.clock())?.size, notices]).toEqual([0, ['jwks_keys_removed', 'jwks_empty']])
  })

  it('ends when the source is closed', async () => {
    const { source, time } = setting()
    await source.ready()
    source.close()
    expect(time.waiting()).toEqual([])
  })
})

describe('an unknown kid', () => {
  it('is worth one fetch per cooldown, counted from the last fetch of any kind', async () => {
    const { source, time } = setting()
    await source.ready()
    for (let ms = 0; ms < 5_000; ms += 1) {
      time.advance(1)
      expect(source.refetched(time.clock())).toMatchObject({ size: 1 })
    }
    expect(issuer.requests.jwks).toBe(1)
    time.advance(25_000)
    await Promise.all(Array.from({ length: 10_000 }, () => source.refetched(time.clock())))
    expect(issuer.requests.jwks).toBe(2)
  })

  it('finds a new key after the cooldown', async () => {
    const { source, time } = setting()
    await source.ready()
    await issuer.rotate({ keep: true })
    time.advance(30_000)
    expect(kids(await source.refetched(time.clock()))).toContain(issuer.kid('ES256'))
  })

  it('cannot be judged while the issuer is down, and does not ask it again and again', async () => {
    const { source, time } = setting()
    await source.ready()
    issuer.behave('refuse')
    time.advance(30_000)
    expect(await source.refetched(time.clock())).toMatchObject({ kind: 'unavailable' })
    expect(source.refetched(time.clock())).toMatchObject({ kind: 'unavailable' })
    expect([issuer.requests.jwks, source.current(time.clock())?.size]).toEqual([2, 1])
  })

  it('waits for a hanging issuer without holding up those whose key is known', async () => {
    const { source, time } = setting()
    await source.ready()
    issuer.behave('hang')
    time.advance(30_000)
    const unknown = source.refetched(time.clock())
    expect(source.keys(time.clock())).toMatchObject({ size: 1 })
    expect(await unknown).toMatchObject({ kind: 'unavailable' })
  })
})
