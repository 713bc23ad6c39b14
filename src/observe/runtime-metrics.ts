import { readdirSync } from 'node:fs'
import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import type { Instruments } from './instruments.ts'

const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
}

const LAG_RESOLUTION_MS = 20

function kindOf(detail: unknown): string {
  const kind = typeof detail === 'object' && detail !== null && 'kind' in detail ? detail.kind : undefined
  return (typeof kind === 'number' ? GC_KINDS[kind] : undefined) ?? 'incremental'
}

function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return 0
  }
}

/** Watches the process: the few of Node's own numbers that an operator acts on. `update` is called before each scrape. */
export function watchRuntime(instruments: Instruments): { readonly update: () => void; readonly stop: () => void } {
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
  lag.enable()
  const collections = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) instruments.series('nodejs_gc_duration_seconds', kindOf('detail' in entry ? entry.detail : undefined))(entry.duration / 1_000)
  })
  collections.observe({ entryTypes: ['gc'] })
  instruments.set('process_start_time_seconds', Math.round(Date.now() / 1_000 - process.uptime()))
  for (const kind of Object.values(GC_KINDS)) instruments.zero('nodejs_gc_duration_seconds', kind)
  let reported = 0

  const update = (): void => {
    const { user, system } = process.cpuUsage()
    const seconds = (user + system) / 1_000_000
    instruments.increase('process_cpu_seconds_total', seconds - reported)
    reported = seconds
    instruments.set('process_resident_memory_bytes', process.memoryUsage.rss())
    instruments.set('process_open_fds', openFiles())
    instruments.set('nodejs_heap_size_used_bytes', process.memoryUsage().heapUsed)
    // The monitor measures the interval itself too; what is above it is delay.
    const above = (percentile: number): number => Math.max(0, lag.percentile(percentile) / 1e9 - LAG_RESOLUTION_MS / 1_000)
    instruments.set('nodejs_eventloop_lag_p50_seconds', above(50))
    instruments.set('nodejs_eventloop_lag_p99_seconds', above(99))
    lag.reset()
  }
  return {
    update,
    stop: () => {
      lag.disable()
      collections.disconnect()
    },
  }
}
