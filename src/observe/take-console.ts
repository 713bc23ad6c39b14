import { format } from 'node:util'
import type { Log } from './log.ts'

/** How loud a word on the console is in the log. */
const LEVELS = { debug: 'debug', log: 'info', info: 'info', warn: 'warn', error: 'error', trace: 'debug' } as const

/** More than this is not a word but a dump. */
const LONGEST = 2_000

const METHODS = ['debug', 'log', 'info', 'warn', 'error', 'trace'] as const

/**
 * Makes lines of the log of what libraries say on the console, and of the warnings of Node: a line that is no JSON between lines
 * that are breaks whoever reads them. One process has one console, so this is for the process and not for a library.
 *
 * @returns the way to give the console back
 */
export function takeConsole(log: Pick<Log, 'write'>): () => void {
  const own = METHODS.map((method) => [method, console[method]] as const)
  for (const method of METHODS) console[method] = (...words: unknown[]) => log.write(LEVELS[method], 'library', format(...words).slice(0, LONGEST))
  // Node's own listener is the one that prints.
  const listeners = process.listeners('warning')
  process.removeAllListeners('warning')
  const warned = ({ name, message }: Error): void => log.write('warn', 'node_warning', message.slice(0, LONGEST), { kind: name })
  process.on('warning', warned)
  return () => {
    for (const [method, was] of own) console[method] = was
    process.off('warning', warned)
    for (const listener of listeners) process.on('warning', listener)
  }
}
