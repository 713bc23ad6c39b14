import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type KeptSoak, withSoak } from '../bench/soak/page.ts'
import { PAGE } from './faults/page.ts'
import { isForged } from '../bench/soak/tally.ts'

const kept = (name: string): unknown => JSON.parse(readFileSync(join(import.meta.dirname, '..', 'bench', 'results', name), 'utf8'))
const page = readFileSync(PAGE, 'utf8')

interface KeptFaults { readonly letIn: readonly string[]; readonly rounds: readonly { readonly fault: string; readonly cells: readonly { readonly place: string; readonly column: string; readonly statuses: Readonly<Record<string, number>> }[] }[] }

describe('docs/reliability.md', () => {
  it('says of the soak what the last run that is kept came to, and that was at least half an hour without a surprise', () => {
    const soak = kept('soak.json') as KeptSoak
    expect(withSoak(page, soak)).toBe(page)
    expect(soak.minutes).toBeGreaterThanOrEqual(30)
    expect([soak.letIn, soak.surprises, soak.complaints, soak.exitCode, soak.flatness.filter(({ flat }) => !flat)]).toEqual([[], [], [], 0, []])
    for (const [kind, outcomes] of Object.entries(soak.outcomes)) if (isForged(kind)) expect([kind, outcomes['200']]).toEqual([kind, undefined])
  })

  it('has a row for every fault of the last run that is kept, with its statuses', () => {
    const { letIn, rounds } = kept('faults.json') as KeptFaults
    expect(letIn).toEqual([])
    for (const { fault, cells } of rounds) {
      const rows = page.split('\n').filter((line) => line.startsWith(`| ${fault} |`))
      expect(rows.length, fault).toBe(new Set(cells.map(({ place }) => place)).size - 1)
      for (const status of new Set(cells.flatMap(({ statuses }) => Object.keys(statuses)))) expect(rows.join('\n'), fault).toContain(status)
    }
  })
})
