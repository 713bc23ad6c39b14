import type { Outcome } from './ask.ts'
import type { Broken } from './scene.ts'

/** What one kind of request may come to. */
export interface Expectation {
  readonly usual: readonly Outcome[]
  /** Besides, while something it depends on is broken or has just been mended. */
  readonly broken?: Partial<Record<Broken, readonly Outcome[]>>
}

const UPSTREAM: readonly Outcome[] = [502, 503, 504, 'cut', 'reset']
const throughUpstream: Expectation = { usual: [200], broken: { upstream: UPSTREAM } }
const refused: Expectation = { usual: [401] }

/** Every kind of request, and what is no surprise. Key sets are kept and limits counted here meanwhile: an issuer or a Redis that is away is not seen. */
export const EXPECTED = {
  jwt: throughUpstream,
  newcomer: throughUpstream,
  post: throughUpstream,
  big: throughUpstream,
  slow: throughUpstream,
  slowReader: throughUpstream,
  slowWriter: throughUpstream,
  key: throughUpstream,
  opaque: { usual: [200], broken: { upstream: UPSTREAM, introspection: [503] } },
  check: { usual: [200] },
  socket: throughUpstream,
  forgedSignature: refused,
  forgedKid: { usual: [401], broken: { issuer: [503] } },
  forgedAudience: refused,
  forgedKey: refused,
  forgedOpaque: { usual: [401], broken: { introspection: [503] } },
  forgedSocket: refused,
  forgedCheck: refused,
  revoked: refused,
  missing: refused,
} as const satisfies Record<string, Expectation>

export type Kind = keyof typeof EXPECTED

/** Kinds that must never be let in. */
export const isForged = (kind: string): boolean => /^forged|^revoked$|^missing$/.test(kind)

export interface Tally {
  /** Begins a request; the result ends it. */
  readonly begin: (kind: Kind) => (outcome: Outcome) => void
  readonly brokenNow: (what: Broken, broken: boolean) => void
  readonly counts: () => Readonly<Record<string, Readonly<Record<string, number>>>>
  /** The first of each sort: what came, and what was broken. */
  readonly surprises: () => readonly string[]
  /** What came too late, or broke, while the machine gave us no time: neither expected nor held against anybody. */
  readonly starved: () => number
  readonly total: () => number
}

/** After the end of a fault some things are told of it for a while: a breaker probes, a pool connects anew. */
const AFTERMATH_MS = 4_000
const KEPT = 50

/** A little before the request there may have been nobody to close a connection in time. */
const SHORTLY_MS = 2_000

const ofTime: ReadonlySet<Outcome> = new Set<Outcome>([502, 503, 504, 'cut', 'reset', 'late'])

/** Counts outcomes, and holds each against what was broken at any time while the request ran. */
export function createTally(starvedSince: (instant: number) => boolean, clock: () => number = () => performance.now()): Tally {
  const counts: Record<string, Record<string, number>> = {}
  const surprises: string[] = []
  const lastBroken = new Map<Broken, number>()
  const broken = new Set<Broken>()
  let [total, starved] = [0, 0]
  const startedAt = clock()

  const excusable = (kind: Kind, outcome: Outcome, begunAt: number): boolean => {
    const { usual, broken: when = {} }: Expectation = EXPECTED[kind]
    // The client wrote while an idle connection was closed, and may ask again; or its key was revoked on the way.
    if (usual.includes(outcome) || outcome === 'crossed' || outcome === 'overtaken') return true
    return (Object.entries(when) as [Broken, readonly Outcome[]][]).some(([what, outcomes]) => outcomes.includes(outcome) && (broken.has(what) || (lastBroken.get(what) ?? -Infinity) + AFTERMATH_MS > begunAt))
  }

  return {
    begin: (kind) => {
      const begunAt = clock()
      return (outcome) => {
        total += 1
        const of = (counts[kind] ??= {})
        of[outcome] = (of[outcome] ?? 0) + 1
        if (excusable(kind, outcome, begunAt)) return
        if (ofTime.has(outcome) && starvedSince(begunAt - SHORTLY_MS)) {
          starved += 1
          return
        }
        if (surprises.length < KEPT) surprises.push(`${kind}: ${outcome} at ${((clock() - startedAt) / 1_000).toFixed(1)} s, after ${(clock() - begunAt).toFixed(0)} ms, broken: ${[...broken].join(', ') || 'nothing'}`)
      }
    },
    brokenNow: (what, now) => {
      if (now) broken.add(what)
      else if (broken.delete(what)) lastBroken.set(what, clock())
    },
    counts: () => counts,
    surprises: () => surprises,
    starved: () => starved,
    total: () => total,
  }
}
