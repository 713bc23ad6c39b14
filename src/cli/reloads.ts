import { adminOf } from '../config/admin-settings.ts'
import { loadConfig } from '../config/load.ts'
import { ConfigFileError } from '../config/mistake.ts'
import { formatList } from '../config/report.ts'
import type { Config } from '../config/schema.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import { knownNames } from './known-names.ts'
import { compileLoaded, warningsOf, type Building, type Prepared } from './load-config.ts'

/** The config in use, and how the last attempt to replace it went. */
export interface Reloads {
  readonly current: () => Prepared
  /** Why the newest config on disk is not the one in use. */
  readonly rejection: () => string | undefined
  /** Settings whose new value needs a restart. */
  readonly pending: () => readonly string[]
  /** Reads, checks and compiles, then swaps in one assignment; a bad config changes nothing. Never throws. */
  readonly reload: (trigger: 'signal' | 'file') => void
}

export interface ReloadsOptions {
  readonly file: string | undefined
  readonly env: NodeJS.ProcessEnv
  readonly first: Prepared
  readonly building: Building
  readonly log: Log
  readonly metrics: Metrics
  /** Called after the swap, with what is in use now. */
  readonly onTaken: (prepared: Prepared) => void
}

/** What an open socket or file was made of. */
const FIXED = ['mode', 'listen', 'ops', 'audit'] as const satisfies readonly (keyof Config)[]

/** Decisions under way may still use what the old config had; none of them takes longer. */
const SWEEP_AFTER_MS = 15_000

/** Of forward-auth the secret may change; whether it is there, and where it listens, may not. */
const forwardAuthOf = ({ forward_auth }: Config): string => JSON.stringify(forward_auth && [forward_auth.listen, forward_auth.grpc])

/** Of the admin listener only that it is there, and where, is fixed: who may come in may change. */
const adminAddressOf = (config: Config): string => JSON.stringify([adminOf(config)?.listen, adminOf(config)?.tls])

function changed(before: Config, after: Config): readonly string[] {
  const keys: string[] = FIXED.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
  if (adminAddressOf(before) !== adminAddressOf(after)) keys.push('admin.listen')
  return forwardAuthOf(before) === forwardAuthOf(after) ? keys : [...keys, 'forward_auth']
}

const mistakesOf = (error: unknown): readonly string[] => (error instanceof ConfigFileError ? formatList(error.mistakes).split('\n') : [error instanceof Error ? error.message : String(error)])

/** Says what the operator should know of a config that is in use now. */
export function announce(prepared: Prepared, { log, metrics }: Pick<ReloadsOptions, 'log' | 'metrics'>): void {
  const warnings = warningsOf(prepared)
  metrics.declare(knownNames(prepared.loaded.config, prepared.compiled))
  metrics.set('postern_config_warnings', warnings.length)
  metrics.reloaded('success', Date.now())
  log.setLevel(prepared.loaded.config.log.level)
  for (const warning of warnings) log.write('warn', 'config_warning', formatList([warning]))
}

export function createReloads(options: ReloadsOptions): Reloads {
  const { file, env, first, building, log, metrics, onTaken } = options
  const { resources } = building
  let current = first
  let rejection: string | undefined
  let pending: readonly string[] = []
  /** Each reload sweeps for itself: where they come faster than this takes, nothing piles up. */
  const sweepLater = (generation: number, closing?: Prepared): void => {
    setTimeout(() => void resources.sweep(generation).then(closing?.compiled.gateway.close), SWEEP_AFTER_MS).unref()
  }

  /** Marks again what the config in use needs, after a compilation that failed half-way had begun a new generation. */
  const keepCurrent = (): void => {
    const generation = resources.begin()
    compileLoaded(current.loaded, building)
    sweepLater(generation)
  }

  const build = (): Prepared & { readonly generation: number } => {
    const loaded = loadConfig({ file, env })
    const generation = resources.begin()
    try {
      return { loaded, compiled: compileLoaded(loaded, building), generation }
    } catch (error) {
      keepCurrent()
      throw error
    }
  }

  const take = ({ generation, ...next }: ReturnType<typeof build>, trigger: string): void => {
    const before = current
    current = next
    rejection = undefined
    pending = changed(first.loaded.config, next.loaded.config)
    announce(next, options)
    if (next.loaded.fingerprint === before.loaded.fingerprint) log.write('info', 'reload_unchanged', 'the config on disk is the one in use', { trigger, revision: next.compiled.gateway.revision })
    else log.write('info', 'reload_taken', 'a new config is in use', { trigger, from: before.compiled.gateway.revision, to: next.compiled.gateway.revision })
    if (pending.length > 0) log.write('warn', 'restart_required', `a new value of ${pending.join(', ')} needs a restart; everything else is in use`, { settings: pending })
    for (const { ready } of next.compiled.providers) void ready()
    onTaken(next)
    sweepLater(generation, before)
  }

  return {
    current: () => current,
    rejection: () => rejection,
    pending: () => pending,
    reload: (trigger) => {
      try {
        take(build(), trigger)
      } catch (error) {
        const mistakes = mistakesOf(error)
        rejection = `the last reload was rejected (${mistakes.length} ${mistakes.length === 1 ? 'mistake' : 'mistakes'}, the first: ${mistakes[0] ?? 'unknown'}); the config ${current.compiled.gateway.revision} stays in use`
        metrics.reloaded('failure', Date.now())
        log.write('error', 'reload_rejected', 'the config on disk is not taken; the one in use stays', { trigger, revision: current.compiled.gateway.revision, mistakes })
      }
    },
  }
}
