import type { Command } from './command.ts'

/** `postern test`. */
export const TEST_COMMAND: Command = {
  summary: 'run tables of requests and expected decisions against a config, offline',
  arguments: 'FILE…',
  minimum: 1,
  maximum: 1_000,
  options: {
    coverage: { type: 'string', value: 'PERCENT', help: 'fail when fewer of the routes are reached by a case' },
  },
  load: () => import('./policy/command.ts'),
}
