import type { Sample } from './inspected.ts'

/** What is measured, and how much more the late window may hold than the early one. */
export const TOLERANCES = {
  heap: { unit: 'MiB', factor: 1.05, more: 2 },
  external: { unit: 'MiB', factor: 1.05, more: 2 },
  rss: { unit: 'MiB', factor: 1.1, more: 8 },
  fds: { unit: '', factor: 1, more: 10 },
  sockets: { unit: '', factor: 1, more: 10 },
  handles: { unit: '', factor: 1, more: 12 },
  timers: { unit: '', factor: 1, more: 8 },
} as const satisfies Partial<Record<keyof Sample, { readonly unit: string; readonly factor: number; readonly more: number }>>

export type Measured = keyof typeof TOLERANCES

export interface Flatness {
  readonly what: Measured
  readonly early: number
  readonly late: number
  readonly allowed: number
  readonly highest: number
  readonly flat: boolean
}

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** Until caches are full and the code is compiled, growth is no leak. */
const EARLY = [0.2, 0.45] as const
const LATE = [0.75, 1] as const

function within(samples: readonly Sample[], [from, to]: readonly [number, number]): readonly Sample[] {
  const end = samples.at(-1)?.at ?? 0
  return samples.filter(({ at }) => at >= from * end && at <= to * end)
}

/** Medians of an early and a late window, side by side. */
export function flatnessOf(samples: readonly Sample[]): readonly Flatness[] {
  const [early, late] = [within(samples, EARLY), within(samples, LATE)]
  return (Object.keys(TOLERANCES) as Measured[]).map((what) => {
    const of = (window: readonly Sample[]): number => median(window.map((sample) => sample[what]))
    const { factor, more } = TOLERANCES[what]
    const allowed = of(early) * factor + more
    return { what, early: of(early), late: of(late), allowed, highest: Math.max(...samples.map((sample) => sample[what])), flat: of(late) <= allowed }
  })
}
