import { cpus, loadavg, totalmem } from 'node:os'

/** Where a run was made. */
export interface Machine {
  readonly cpu: string | undefined
  readonly cores: number
  readonly memoryGiB: number
  readonly node: string
  /** Over one minute, before the run. */
  readonly loadAverage: number
}

export const describeMachine = (): Machine => ({ cpu: cpus()[0]?.model.trim(), cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), node: process.version, loadAverage: loadavg()[0] ?? Number.NaN })

export const machineText = ({ cores, cpu, memoryGiB, node, loadAverage }: Machine): string => `${cores} × ${cpu ?? 'unknown processor'}, ${memoryGiB} GiB, Node ${node}, load average ${loadAverage.toFixed(1)} before the run`
