import { Socket } from 'node:net'

/** Why the process should end. */
export interface StopReason {
  readonly cause: 'SIGTERM' | 'SIGINT' | 'launcher_gone'
  /** Nobody is behind a balancer here: do not wait for one to notice. */
  readonly hurried: boolean
}

export interface Signals {
  /** Resolves with the first reason to end. */
  readonly stop: Promise<StopReason>
  /** Resolves with the second: end at once. */
  readonly stopNow: Promise<StopReason>
  readonly onReload: (reload: () => void) => void
  /** SIGUSR2: more log for a while. */
  readonly onVerbose: (verbose: () => void) => void
}

/** Opened by the launcher; ends with it, whatever ended it. */
function whenLauncherEnds(env: NodeJS.ProcessEnv, ended: () => void): void {
  const fd = Number(env['_POSTERN_LAUNCHER_FD'])
  if (!Number.isInteger(fd) || fd < 3) return
  try {
    const socket = new Socket({ fd, readable: true, writable: false })
    socket.on('error', () => undefined)
    socket.on('close', ended)
    socket.resume()
    socket.unref()
  } catch {
    // The descriptor is not there: started by hand with the variable set. Then there is nothing to watch.
  }
}

const PARENT_LOOK_MS = 500

/** npm and the shell between us do not pass on every signal: what they started would outlive them and keep its port. */
function whenParentEnds(ended: () => void): void {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    ended()
  }, PARENT_LOOK_MS)
  timer.unref()
}

/**
 * Takes the signals. Called before anything slow: a SIGTERM while starting must not kill silently.
 *
 * @param followParent  ends with the process that started this one; by default when that is npm
 */
export function takeSignals(env: NodeJS.ProcessEnv, { followParent = env['npm_command'] !== undefined } = {}): Signals {
  const reasons: StopReason[] = []
  let reload = (): void => undefined
  let verbose = (): void => undefined
  const first = Promise.withResolvers<StopReason>()
  const second = Promise.withResolvers<StopReason>()
  const stop = (cause: StopReason['cause']): void => {
    const reason: StopReason = { cause, hurried: cause !== 'SIGTERM' || process.stdin.isTTY === true }
    reasons.push(reason)
    if (reasons.length === 1) first.resolve(reason)
    else second.resolve(reason)
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  process.on('SIGHUP', () => reload())
  process.on('SIGUSR2', () => verbose())
  whenLauncherEnds(env, () => stop('launcher_gone'))
  if (followParent) whenParentEnds(() => stop('launcher_gone'))
  return {
    stop: first.promise,
    stopNow: second.promise,
    onReload: (action) => {
      reload = action
    },
    onVerbose: (action) => {
      verbose = action
    },
  }
}
