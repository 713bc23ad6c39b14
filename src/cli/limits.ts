import { ConfigFileError, type Mistake } from '../config/mistake.ts'
import { compileLimits } from '../config/compile-limits.ts'
import { loadConfig } from '../config/load.ts'
import { PartitionTextError } from '../config/partition-text.ts'
import type { ShownLimit } from '../limiters/limits-desk.ts'
import { textOption, type Invocation, type Run } from './command.ts'
import { EXIT, OperatorError, UsageError } from './exit-codes.ts'
import { configFileOf, passingResources, reportMistakes } from './load-config.ts'

const WAIT_MS = 3_000

const seconds = (ms: number): string => `${Math.max(Math.ceil(ms / 1_000), 0)} s`

/** `minute   59 of 60 left   fixed, 60 s   resets in 12 s` */
function rowOf({ policyId, algorithm, windowMs, used, quota, remaining, resetsAt }: ShownLimit, now: number): string {
  const left = quota === undefined || remaining === undefined ? `${used} spent, no policy of the config is called so` : `${remaining} of ${quota} left`
  return [policyId, left, `${algorithm}, ${seconds(windowMs)}`, `resets in ${seconds(resetsAt - now)}`].join('   ')
}

interface Asked { readonly action: 'show' | 'reset'; readonly partition: string; readonly policy: string | undefined }

/** @throws {UsageError} for another action, or without a partition */
function askedOf({ positionals: [action], options }: Invocation): Asked {
  if (action !== 'show' && action !== 'reset') throw new UsageError(`there is no "postern limits ${action ?? ''}". One of: show, reset`)
  const partition = textOption(options, 'partition')
  if (partition === undefined) throw new UsageError('postern limits needs --partition, such as client_ip:203.0.113.9 or principal:jwt:alice')
  return { action, partition, policy: textOption(options, 'policy') }
}

/** Runs one act against the store of the config, and closes the connection. */
async function act(invocation: Invocation, { action, partition, policy }: Asked): Promise<void> {
  const { terminal, options, env } = invocation
  const resources = passingResources()
  try {
    const loaded = loadConfig({ file: configFileOf(invocation), env })
    const mistakes: Mistake[] = []
    const { store, counters } = compileLimits(loaded.config, resources, mistakes)
    if (mistakes.length > 0) throw new ConfigFileError(loaded.placed(mistakes))
    if (!store) throw new OperatorError('this config has no store, so counters are in the memory of the running Postern; ask its admin API, or give it a "store"', EXIT.config)
    await store.ready(WAIT_MS)
    if (store.state().status === 'down') throw new OperatorError(`the store cannot be asked: ${store.state().detail ?? 'no answer'}`)
    if (action === 'reset') {
      const count = await counters.reset(partition, policy)
      if (options['json'] === true) terminal.out(JSON.stringify({ reset: count }))
      else terminal.say(`${count} ${count === 1 ? 'counter' : 'counters'} forgotten; every replica knows within a second`)
      return
    }
    const shown = (await counters.show(partition)).filter(({ policyId }) => policy === undefined || policyId === policy)
    if (options['json'] === true) terminal.out(JSON.stringify({ limits: shown }))
    else if (shown.length > 0) terminal.out(shown.map((limit) => rowOf(limit, Date.now())).join('\n'))
    else terminal.say('nothing is counted for it')
  } finally {
    await resources.closeAll()
  }
}

/** `postern limits show|reset --partition P [--policy NAME]`: counters of one partition in the shared store. */
export const run: Run = async (invocation) => {
  try {
    await act(invocation, askedOf(invocation))
    return EXIT.ok
  } catch (error) {
    if (error instanceof PartitionTextError) throw new UsageError(error.message)
    return reportMistakes(error, invocation)
  }
}
