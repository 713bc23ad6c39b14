import type { Invocation, Run } from './command.ts'
import { EXIT } from './exit-codes.ts'
import type { Instance } from './instance.ts'
import { refuseUnsafeProcess } from './node-safety.ts'
import { takeSignals, type Signals } from './signals.ts'
import { setHeap } from './heap.ts'

/** A bug in a place that nobody awaits. A rejected promise leaves no half-done state behind; an exception may. */
function surviveFaults({ log, flush }: Pick<Instance, 'log' | 'flush'>, broken: () => void): void {
  process.on('unhandledRejection', (error) => log.write('error', 'fault', 'a bug: a promise was rejected and nobody listened', { error }))
  process.on('uncaughtException', (error) => {
    log.write('error', 'fault', 'a bug: the process ends, since its state is unknown', { error })
    flush()
    broken()
  })
}

/** Serves until told to end, then drains; the second signal, or a bug, ends at once. Gives the exit code. */
export async function serveUntilStopped(instance: Instance, signals: Signals, alwaysHurried = false): Promise<number> {
  const broken = Promise.withResolvers<number>()
  surviveFaults(instance, () => broken.resolve(EXIT.failure))
  signals.onReload(instance.reload)
  signals.onVerbose(instance.verbose)
  const drained = signals.stop.then(async ({ hurried }) => {
    await instance.drain(hurried || alwaysHurried)
    return EXIT.ok
  })
  const forced = signals.stopNow.then(() => {
    instance.flush()
    return EXIT.failure
  })
  return Promise.race([drained, forced, broken.promise])
}

/** `postern run`: guards the API that the config names, until a signal ends it. */
export const run: Run = async (invocation: Invocation) => {
  const { env, terminal } = invocation
  // First of all: importing the rest takes longer than a signal may wait.
  const signals = takeSignals(env)
  const started = setHeap()
  refuseUnsafeProcess(env, process.execArgv)
  const [{ startInstance }, { configFileOf, reportMistakes }] = await Promise.all([import('./instance.ts'), import('./load-config.ts')])
  try {
    const instance = await startInstance({ file: configFileOf(invocation), env, color: terminal.color, hurry: signals.stop })
    started()
    return await serveUntilStopped(instance, signals)
  } catch (error) {
    return reportMistakes(error, invocation)
  }
}
