import { median } from '../arguments.ts'

/** Something that an installation may have few or many of. */
export interface Dimension {
  readonly name: string
  /** What one measurement costs in. */
  readonly unit: string
  readonly sizes: readonly number[]
  /** How a size is written; default: as a number. */
  readonly written?: (size: number) => string
  readonly prepare: (size: number) => Promise<Subject> | Subject
}

/** A dimension at one size, ready to be measured again and again. */
export interface Subject {
  readonly cost: () => Promise<number> | number
  readonly close?: () => Promise<void> | void
}

/** What one dimension came to. */
export interface Growth {
  readonly name: string
  readonly unit: string
  readonly points: readonly { readonly size: string; readonly cost: number }[]
  /** Cost at the last size by the cost at the first. */
  readonly ratio: number
  readonly verdict: 'flat' | 'logarithmic' | 'grows'
}

/** What noise and memory that no longer fits into caches may add. */
const FLAT = 1.5

/** Logarithmic: every factor of ten adds no more than the cost that the first size had. */
function verdictOf(ratio: number, factor: number): Growth['verdict'] {
  if (ratio <= FLAT) return 'flat'
  return ratio <= 1 + Math.log10(factor) ? 'logarithmic' : 'grows'
}

/** CPU time of this process for one turn of `once`, µs. */
export async function cpuPer(count: number, once: (n: number) => unknown): Promise<number> {
  const before = process.cpuUsage()
  for (let n = 0; n < count; n += 1) {
    const answer = once(n)
    if (answer instanceof Promise) await answer
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / count
}

/** All sizes are prepared first and then take turns; the first turn of each is not counted. */
export async function growthOf({ name, unit, sizes, written = (size) => size.toLocaleString('en'), prepare }: Dimension, rounds: number): Promise<Growth> {
  const subjects: Subject[] = []
  try {
    for (const size of sizes) subjects.push(await prepare(size))
    const costs: number[][] = subjects.map(() => [])
    for (const subject of subjects) await subject.cost()
    for (let round = 0; round < rounds; round += 1) for (const [index, subject] of subjects.entries()) costs[index]?.push(await subject.cost())
    const points = sizes.map((size, index) => ({ size: written(size), cost: median(costs[index] ?? []) }))
    const ratio = (points.at(-1)?.cost ?? Number.NaN) / (points[0]?.cost ?? Number.NaN)
    return { name, unit, points, ratio, verdict: verdictOf(ratio, (sizes.at(-1) ?? 1) / (sizes[0] ?? 1)) }
  } finally {
    for (const { close } of subjects) await close?.()
  }
}
