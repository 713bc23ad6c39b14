import type { Config, RouteConfig } from '../config/schema.ts'
import type { Log } from '../observe/log.ts'

const HOUR_MS = 3_600_000

const nameOf = ({ name, match }: RouteConfig): string => name ?? match.path[0] ?? ''

/** Where refusals are let pass, in words; undefined where all are enforced. */
export function observedText({ observe, routes = [] }: Pick<Config, 'observe' | 'routes'>): string | undefined {
  const having = (wanted: RouteConfig['mode']): readonly string[] => routes.filter(({ mode }) => mode === wanted).map(nameOf)
  const [enforced, observed] = [having('enforce'), having('observe')]
  if (observe) return enforced.length === 0 ? 'everything' : `everything but ${enforced.join(', ')}`
  return observed.length === 0 ? undefined : observed.join(', ')
}

/** Writes the warning once; nothing where all refusals are enforced. */
export function remindOfObserving(config: Pick<Config, 'observe' | 'routes'>, log: Pick<Log, 'write'>): void {
  const observed = observedText(config)
  if (observed !== undefined) log.write('warn', 'observe_mode', `refusals are not enforced, only counted and logged: ${observed}`)
}

/** Repeats the warning every hour, about the config that is then in use. Gives what stops it; holds no process open. */
export function remindHourly(config: () => Pick<Config, 'observe' | 'routes'>, log: Pick<Log, 'write'>, everyMs = HOUR_MS): () => void {
  const timer = setInterval(() => remindOfObserving(config(), log), everyMs).unref()
  return () => clearInterval(timer)
}
