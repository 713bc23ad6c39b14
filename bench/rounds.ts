import { measure, type Row, rowOf, type Sample } from './measure.ts'
import type { Server } from './processes.ts'
import { insistOnRefusals, type Target } from './target.ts'

export interface RoundsSettings {
  readonly rounds: number
  /** Requests of one turn. */
  readonly requests: number
  /** Requests before the first turn of a target whose code is compiled while it runs. */
  readonly warmup: number
  /** No further round begins after this time, milliseconds on the clock of `performance`. */
  readonly until: number
  readonly say: (text: string) => void
}

export interface Rounds {
  readonly rows: readonly Row[]
  /** Rounds that were measured. */
  readonly rounds: number
  /** Targets that did not start or did not answer as they should, and why. */
  readonly failed: readonly string[]
}

/** A tenth is enough for what was compiled before it started. */
const warmupOf = ({ warms }: Target, warmup: number): number => (warms ? warmup : Math.ceil(warmup / 20))

/** Starts and warms every target; what cannot be measured is named and left out. */
async function begin(targets: readonly Target[], { warmup, say }: RoundsSettings): Promise<{ readonly running: Map<Target, Server>; readonly failed: string[] }> {
  const running = new Map<Target, Server>()
  const failed: string[] = []
  for (const target of targets) {
    let server: Server | undefined
    try {
      server = await target.start()
      await insistOnRefusals(target, server.port)
      const { cpuUs } = await measure(target, server, warmupOf(target, warmup))
      running.set(target, server)
      say(`warm: ${target.name} (${cpuUs.toFixed(0)} µs)`)
    } catch (error) {
      failed.push(`${target.name}: ${(error as Error).message}`)
      say(`LEFT OUT ${failed.at(-1)}`)
      await server?.stop()
    }
  }
  return { running, failed }
}

/**
 * Measures all targets in turns: each is started once and warmed once, then every round gives each of them one turn, so that what disturbs the
 * machine disturbs all of them. Those that wait are idle.
 */
export async function inRounds(targets: readonly Target[], settings: RoundsSettings): Promise<Rounds> {
  const { running, failed } = await begin(targets, settings)
  const samples = new Map<Target, Sample[]>([...running.keys()].map((target) => [target, []]))
  let round = 0
  try {
    for (; round < settings.rounds && (round === 0 || performance.now() < settings.until); round += 1) {
      for (const [target, server] of running) samples.get(target)?.push(await measure(target, server, settings.requests))
      settings.say(`round ${round + 1} of ${settings.rounds}`)
    }
  } finally {
    await Promise.all([...running.values()].map((server) => server.stop()))
  }
  return { rows: [...samples].map(([target, of]) => rowOf(target, of)), rounds: round, failed }
}
