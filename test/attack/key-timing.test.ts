// How long a wrong key takes, by how much of it is right (T47). Repeats CVE-2022-31142 (fastify-bearer-auth), CVE-2026-32595 and CVE-2026-41263
// (Traefik), CVE-2026-44332 (Fiber). Judged as the literature does: Welch's t of two classes that are measured in turns at random, where |t| above 4.5
// is a leak. Measured at the check itself, where nothing but the check takes time; a network hides more than it shows.
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createStaticKeyCheck, digestOf, keysByDigest } from '../../src/authenticators/static-keys.ts'
import { createKeyHasher } from '../../src/keys/key-digest.ts'
import { generateKey } from '../../src/keys/key-format.ts'
import { createKeyLookup } from '../../src/keys/key-lookup.ts'
import { sampleRecord } from '../../src/keys/key-store.contract.ts'
import { createMemoryStore } from '../../src/keys/memory-store.ts'
import { SILENT } from '../../src/model/event.ts'

const SAMPLES = 20_000
const LEAK = 4.5
/** A machine that is busy with other things may disturb one measurement; a leak is there in each. */
const MEASUREMENTS = 3

/** Welch's t of two samples. */
function welch(a: readonly number[], b: readonly number[]): number {
  const moments = (all: readonly number[]) => {
    const mean = all.reduce((sum, each) => sum + each, 0) / all.length
    return { mean, error: all.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (all.length - 1) / all.length }
  }
  const [one, other] = [moments(a), moments(b)]
  return (one.mean - other.mean) / Math.sqrt(one.error + other.error)
}

type Keys = readonly (readonly [which: number, key: string])[]

/** Both classes in random turns, made before: what making one does to caches would be measured with the next check. */
const keysFor = (makers: readonly [() => string, () => string]): Keys =>
  [...randomBytes(SAMPLES * 2)].map((byte) => [byte % 2, makers[byte % 2]!()] as const)

/** |t| of two classes, with the slowest twentieth left out: those were interrupted. */
function measure(check: (key: string) => unknown, makers: readonly [() => string, () => string]): number {
  const keys = keysFor(makers)
  for (const [, key] of keys.slice(0, 2_000)) check(key)
  const taken = keys.map(([which, key]) => {
    const startedAt = process.hrtime.bigint()
    check(key)
    return [which, Number(process.hrtime.bigint() - startedAt)] as const
  })
  const bound = taken.map(([, ns]) => ns).toSorted((a, b) => a - b)[Math.floor(taken.length * 0.95)]!
  const kept = taken.filter(([, ns]) => ns <= bound)
  return Math.abs(welch(kept.filter(([which]) => which === 0).map(([, ns]) => ns), kept.filter(([which]) => which === 1).map(([, ns]) => ns)))
}

function smallest(check: (key: string) => unknown, makers: readonly [() => string, () => string]): number {
  let least = Infinity
  for (let n = 0; n < MEASUREMENTS && least >= LEAK; n += 1) least = Math.min(least, measure(check, makers))
  return least
}

const KEY = generateKey('acme_live')
/** A text that was put together is put in one piece by whoever reads it first, and that takes time. */
const flat = (text: string): string => Buffer.from(text).toString('latin1')

/** Wrong in its last letters alone, and wrong from its first: both of the same length, and each time another one. */
const nearly = (): string => flat(`${KEY.slice(0, -8)}${randomBytes(4).toString('hex')}`)
const notAtAll = (): string => flat(randomBytes(KEY.length).toString('hex').slice(0, KEY.length))
const NOW = 1_000

describe('what a wrong key takes says nothing of how much of it is right', () => {
  it('where the key stands in the config', () => {
    const keys = keysByDigest([{ id: 'k', digest: digestOf(KEY), subject: 's', scopes: [], roles: [], assertSubject: false }])
    const check = createStaticKeyCheck({ authenticatorId: 'key', sources: [() => keys] })
    const verdict = (value: string) => check({ kind: 'credential', value, locations: [] }, NOW)
    expect([verdict(KEY).kind, verdict(nearly()).kind]).toEqual(['authenticated', 'rejected'])
    expect(smallest(verdict, [nearly, notAtAll])).toBeLessThan(LEAK)
  })

  it('where the key is kept in a store', () => {
    const [store, hasher] = [createMemoryStore(), createKeyHasher({ pepper: 'sixteen-characters' })]
    void store.commit([{ kind: 'insert', record: sampleRecord(hasher.digestOf(KEY)) }])
    const lookup = createKeyLookup({ store, hasher, checksum: 'none', observer: SILENT, lastUses: { note: () => undefined, flush: async () => undefined, close: async () => undefined } })
    const verdict = (value: string) => lookup.find(value, NOW)
    expect([verdict(KEY), verdict(nearly())]).toMatchObject([{ kind: 'active' }, { kind: 'unknown' }])
    expect(smallest(verdict, [nearly, notAtAll])).toBeLessThan(LEAK)
  })

  it('and the measure sees a comparison that ends at the first letter that differs', () => {
    const leaky = (key: string): boolean => {
      for (let at = 0; at < KEY.length; at += 1) if (key.charCodeAt(at) !== KEY.charCodeAt(at)) return false
      return true
    }
    expect(measure(leaky, [nearly, notAtAll])).toBeGreaterThan(LEAK)
  })
})
