import type { Growth } from './growth/dimension.ts'
import { type Machine, machineText } from './machine.ts'

/** What a run leaves in `results/growth.json`. */
export interface GrowthResult {
  readonly at: string
  readonly command: string
  readonly machine: Machine
  readonly rows: readonly Growth[]
}

const WORDS: Readonly<Record<Growth['verdict'], string>> = { flat: 'flat', logarithmic: 'logarithmic', grows: '**grows**' }

const cells = ({ name, unit, points, ratio, verdict }: Growth): string => `| ${name} | ${unit} | ${points.map(({ size, cost }) => `${size}: ${cost.toFixed(2)}`).join(', ')} | ${ratio < 0.01 ? '< 0.01' : ratio.toFixed(2)} | ${WORDS[verdict]} |`

/** A result in words and a table, for a page. */
export const growthText = ({ at, command, machine, rows }: GrowthResult): string =>
  [`\`${command}\`, ${at.slice(0, 10)}, ${machineText(machine)}:`, '', '| what there is more of | | cost by size | last / first | |', '|---|---|---|---|---|', ...rows.map(cells)].join('\n')
