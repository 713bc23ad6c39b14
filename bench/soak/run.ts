import { setTimeout as wait } from 'node:timers/promises'
import type { GateFault } from '../../test/support/faulty-gate.ts'
import type { Sample } from './inspected.ts'
import { flatnessOf, type Flatness } from './judge.ts'
import { createKeyChurn } from './keys.ts'
import { type Broken, type Scene, setScene } from './scene.ts'
import { keepTalking } from './sockets.ts'
import { watchStarvation } from './starvation.ts'
import { createTally, isForged, type Tally } from './tally.ts'
import { startTraffic } from './traffic.ts'

export interface SoakSettings {
  readonly seconds: number
  /** Requests per second. */
  readonly rate: number
  readonly sampleEveryMs: number
  readonly faultEveryMs: number
  readonly reloadEveryMs: number
  /** No reload after this share of the time, so that a short soak sees what reloads left behind go. */
  readonly reloadUntil?: number
  readonly told?: (line: string) => void
}

export interface SoakResult {
  readonly requests: number
  readonly outcomes: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly surprises: readonly string[]
  /** Outcomes that were only late or broken while the machine gave us no time, and the share of the time when it did not. */
  readonly starved: number
  readonly starvedShare: number
  /** Forged credentials that reached the upstream. */
  readonly letIn: readonly string[]
  readonly skipped: number
  readonly faults: number
  /** Good configs that were written, and how many of them the process took into use. */
  readonly reloads: number
  readonly reloadsTaken: number
  readonly keyActs: number
  readonly samples: readonly Sample[]
  readonly flatness: readonly Flatness[]
  /** Before the traffic, and when all of it had ended. */
  readonly before: Sample
  readonly after: Sample
  /** How long it took until descriptors and handles were back where they had been, ms; undefined: they were not. */
  readonly restedAfterMs: number | undefined
  readonly exitCode: number | null
  /** Lines of the log that tell of a bug or of a config that was not taken although it should. */
  readonly complaints: readonly string[]
}

const FAULTS: readonly GateFault[] = ['refused', 'hanging', 'resetting', 'garbage', 'slow', 'dripping', 'flapping', 'page']
const FAULT_MS = 2_500
const SOCKETS = 12
const REST_MS = 60_000
/** Connections that the last look itself may find: of the probe, of the store. */
const SPARE = 3

async function breakThings({ gates }: Scene, tally: Tally, { faultEveryMs }: SoakSettings, running: () => boolean): Promise<number> {
  const names = [...gates.keys()]
  let count = 0
  for (let turn = 0; running(); turn += 1) {
    await wait(Math.max(0, faultEveryMs - FAULT_MS))
    if (!running()) break
    const name = names[turn % names.length] as Broken
    const gate = gates.get(name)
    tally.brokenNow(name, true)
    await gate?.behave(FAULTS[Math.floor(turn / names.length) % FAULTS.length] ?? 'refused')
    await wait(FAULT_MS)
    await gate?.behave('none')
    tally.brokenNow(name, false)
    count += 1
  }
  return count
}

async function reloadThings(scene: Scene, { reloadEveryMs, reloadUntil = 1, seconds }: SoakSettings, running: () => boolean): Promise<number> {
  const end = performance.now() + seconds * 1_000 * reloadUntil
  let count = 0
  while (running() && performance.now() < end) {
    await wait(reloadEveryMs)
    if (!running()) break
    count += 1
    if (count % 7 === 3) scene.spoil()
    else scene.reload()
  }
  // The last one is a good one.
  scene.reload()
  return count - Math.floor((count + 4) / 7) + 1
}

const rested = (before: Sample, now: Sample): boolean => now.fds <= before.fds + SPARE && now.handles <= before.handles + SPARE

/** Waits until what the traffic had needed is gone. */
async function rest(scene: Scene, before: Sample, at: () => number): Promise<{ readonly after: Sample; readonly restedAfterMs: number | undefined }> {
  const startedAt = performance.now()
  for (;;) {
    const after = await scene.postern.sample(at())
    const tookMs = performance.now() - startedAt
    if (rested(before, after)) return { after, restedAfterMs: tookMs }
    if (tookMs > REST_MS) return { after, restedAfterMs: undefined }
    await wait(500)
  }
}

const complaintsIn = (output: string): readonly string[] => output.split('\n').filter((line) => /"fault"|unhandled|uncaught/i.test(line)).slice(0, 20)

/** Everything at once, for so long, on one Postern; and a look at what is left of it. */
export async function runSoak(settings: SoakSettings): Promise<SoakResult> {
  const { seconds, rate, sampleEveryMs, told = () => undefined } = settings
  const scene = await setScene()
  let on = true
  const running = (): boolean => on
  try {
    const starvation = watchStarvation(scene.postern.child.pid ?? 0)
    const tally = createTally(starvation.since)
    const keys = createKeyChurn(scene)
    await wait(500)
    const startedAt = performance.now()
    const at = (): number => (performance.now() - startedAt) / 1_000
    const before = await scene.postern.sample(0)
    const traffic = await startTraffic(scene, { rate, tally, keys })
    const others = [keys.run(running), ...Array.from({ length: SOCKETS }, (_, n) => keepTalking(scene, { token: traffic.token, tally, running, pauseMs: 300 + n * 60 }))]
    const [faults, reloads] = [breakThings(scene, tally, settings, running), reloadThings(scene, settings, running)]
    const samples: Sample[] = []
    while (at() < seconds) {
      await wait(Math.min(sampleEveryMs, Math.max(0, (seconds - at()) * 1_000)))
      const sample = await scene.postern.sample(at())
      samples.push(sample)
      told(`${sample.at.toFixed(0).padStart(5)} s  rss ${sample.rss.toFixed(1)}  heap ${sample.heap.toFixed(1)}  external ${sample.external.toFixed(1)}  fds ${sample.fds}  sockets ${sample.sockets}  handles ${sample.handles}  timers ${sample.timers}  requests ${tally.total()}  surprises ${tally.surprises().length}`)
    }
    on = false
    await traffic.stop()
    await Promise.all(others)
    starvation.stop()
    const counts = { faults: await faults, reloads: await reloads }
    const { after, restedAfterMs } = await rest(scene, before, at)
    const reloadsTaken = await scene.metric('postern_config_reloads_total{outcome="success"}') - 1
    const exitCode = await scene.postern.stop()
    return {
      requests: tally.total(), outcomes: tally.counts(), surprises: tally.surprises(), starved: tally.starved(), starvedShare: starvation.share(), letIn: [...scene.reached].filter(isForged), skipped: traffic.skipped(), ...counts, reloadsTaken, keyActs: keys.acts(),
      samples, flatness: flatnessOf(samples), before, after, restedAfterMs, exitCode, complaints: complaintsIn(scene.postern.output()),
    }
  } finally {
    on = false
    await scene.close()
  }
}
