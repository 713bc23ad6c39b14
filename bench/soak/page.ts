import { TOLERANCES } from './judge.ts'
import type { SoakResult } from './run.ts'

/** What is kept of a soak in `bench/results/soak.json`. */
export interface KeptSoak extends SoakResult {
  readonly at: string
  readonly minutes: number
  /** Requests per second. */
  readonly rate: number
  readonly machine: { readonly cpu: string | undefined; readonly cores: number; readonly node: string }
}

const LABELS: Readonly<Record<keyof typeof TOLERANCES, string>> = {
  heap: 'heap, after collection', external: 'buffers outside the heap', rss: 'resident memory', fds: 'descriptors', sockets: 'sockets', handles: 'handles of the event loop', timers: 'timers',
}

export function flatnessTable({ flatness }: Pick<SoakResult, 'flatness'>): string {
  const rows = flatness.map(({ what, early, late, allowed, highest, flat }) => {
    const { unit } = TOLERANCES[what]
    const shown = (value: number): string => (unit === '' ? value.toFixed(0) : `${value.toFixed(1)} ${unit}`)
    return `| ${LABELS[what]} | ${shown(early)} | ${shown(late)} | ${shown(allowed)} | ${shown(highest)} | ${flat ? 'flat' : 'GROWS'} |`
  })
  return ['| what | median early | median late | allowed | highest | |', '|---|---|---|---|---|---|', ...rows].join('\n')
}

/** What came of it, in words. */
export function soakText(soak: KeptSoak): string {
  const { minutes, rate, requests, faults, reloads, reloadsTaken, keyActs, letIn, surprises, starved, starvedShare, restedAfterMs, machine, before, after, at } = soak
  return [
    `${minutes} minutes at ${rate} requests per second on ${machine.cores} cores (${machine.cpu}, Node ${machine.node}), ${at.slice(0, 10)}: ${requests} requests, ${faults} faults, ${reloadsTaken} of ${reloads} good reloads taken, ${keyActs} acts on keys. `
      + `Let in that may not: ${letIn.length}. Outcomes that nothing explains: ${surprises.length}. The machine had other work: in ${(starvedShare * 100).toFixed(0)} % of the time somebody waited for a core for longer than 150 ms, and ${starved} requests that were late then are held against nobody. `
      + `When the traffic ended, ${restedAfterMs === undefined ? 'descriptors and handles did NOT go back' : `descriptors and handles were back after ${(restedAfterMs / 1_000).toFixed(1)} s`} (${before.fds} and ${before.handles} before, ${after.fds} and ${after.handles} after).`,
    flatnessTable(soak),
  ].join('\n\n')
}

const MARKS = /(<!-- soak: written by `npm run soak` -->\n)[^]*?(<!-- \/soak -->)/

export const withSoak = (page: string, soak: KeptSoak): string => page.replace(MARKS, (_all, start: string, end: string) => `${start}${soakText(soak)}\n${end}`)
