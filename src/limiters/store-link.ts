import type { DurationMs } from '../base/time.ts'
import type { Observer } from '../model/event.ts'
import type { BreakerSettings } from './breaker.ts'
import type { StoreScript } from './counter-script.ts'
import { createDeadlines } from './deadlines.ts'
import { createProbe } from './probe.ts'
import type { StoreClient } from './store-client.ts'
import { createStoreHealth, type StoreHealth, type StoreState } from './store-health.ts'

/** A connection to the store that answers in time or not at all. */
export interface StoreLink {
  /** Whether asking makes sense now. While it does not, callers decide without the store and wait for nothing. */
  readonly mayAsk: () => boolean
  /**
   * Runs a script and gives its text, which begins with the first argument: an answer to another call is no answer (T54).
   *
   * @throws {StoreUnavailable} after the deadline at the latest, at once when the store is down or too many wait
   */
  readonly ask: (script: StoreScript, keys: readonly string[], args: readonly string[]) => Promise<string>
  readonly state: () => StoreState
  /** Resolves when the store is in use, or after a while when it is not. */
  readonly ready: (waitMs?: DurationMs) => Promise<void>
  readonly close: () => void
}

/** The store gave no answer that can be used. */
export class StoreUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreUnavailable'
  }
}

export interface StoreLinkSettings extends BreakerSettings {
  readonly client: StoreClient
  readonly deadlineMs: DurationMs
  readonly observer: Observer
  /** For messages. */
  readonly name: string
  /** Does one harmless write: a store that only reads, or is full, is not back. */
  readonly probe: { readonly script: StoreScript; readonly keys: readonly string[]; readonly args: readonly string[] }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** About one counter, not about the store: somebody else wrote there. */
const concernsOneCounter = (error: unknown): boolean => /^(WRONGTYPE|ERR POSTERN|POSTERN)/.test(messageOf(error))

/** Callers that wait until something is there, each for so long. */
function createWaitingRoom(): { readonly enter: (waitMs: DurationMs) => Promise<void>; readonly open: () => void } {
  const waiting = new Set<() => void>()
  return {
    enter: (waitMs) =>
      new Promise((resolve) => {
        const leave = (): void => {
          clearTimeout(timer)
          waiting.delete(leave)
          resolve()
        }
        const timer = setTimeout(leave, waitMs)
        waiting.add(leave)
      }),
    open: () => {
      for (const leave of waiting) leave()
    },
  }
}

/** Runs calls against the clock; what they come to after their time is thrown away. */
function createTimed(deadlineMs: DurationMs) {
  const deadlines = createDeadlines(deadlineMs)
  const timed = (answer: Promise<unknown>): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const stop = deadlines.start(() => reject(new StoreUnavailable(`no answer within ${deadlineMs} ms`)))
      answer.then((value) => stop() && resolve(value), (error: unknown) => stop() && reject(error instanceof Error ? error : new Error(String(error))))
    })
  return { timed, waiting: deadlines.size, giveUp: deadlines.expireAll }
}

/** Tells what calls came to: the breaker, which decides, and whoever watches. */
function createReporter(health: StoreHealth, observer: Observer): { readonly answered: (startedAt: number) => void; readonly failed: (error: unknown, startedAt: number) => StoreUnavailable } {
  const called = (outcome: 'ok' | 'error' | 'timeout', startedAt: number, detail?: string): void =>
    observer.called({ provider: 'store', operation: 'store', outcome, durationMs: performance.now() - startedAt, ...(detail !== undefined && { detail }) })
  return {
    answered: (startedAt) => {
      health.succeeded()
      called('ok', startedAt)
    },
    failed: (error, startedAt) => {
      const late = error instanceof StoreUnavailable
      const why = messageOf(error)
      // What was under way when it went down fails with it: that is one event, not a thousand.
      if (health.status() !== 'down') called(late ? 'timeout' : 'error', startedAt, why)
      if (!concernsOneCounter(error)) health.failed(late ? 'timeout' : 'error', why)
      return late ? error : new StoreUnavailable(why, { cause: error })
    },
  }
}

type Attempt = Pick<StoreLinkSettings, 'client' | 'probe'> & { readonly health: StoreHealth; readonly timed: (answer: Promise<unknown>) => Promise<unknown> }

/** Writes once, and says whether the store is back. */
async function attempt({ client, probe, health, timed }: Attempt): Promise<boolean> {
  if (!client.isReady()) return false
  try {
    await timed(client.run(probe.script, probe.keys, probe.args))
    health.probed()
    return true
  } catch (error) {
    health.explain(messageOf(error))
    // A store that takes the connection and answers nothing is left, not waited for.
    if (error instanceof StoreUnavailable && client.isReady()) client.restart()
    return false
  }
}

export function createStoreLink({ client, deadlineMs, observer, name, many, probe }: StoreLinkSettings): StoreLink {
  const { timed, waiting, giveUp } = createTimed(deadlineMs)
  const room = createWaitingRoom()
  const health = createStoreHealth({
    observer,
    name,
    many,
    wentDown: () => {
      // What still waits there may run later, and counts for nobody: it is dropped with the connection.
      if (client.isReady()) client.restart()
      giveUp()
      prober.start()
    },
    cameUp: room.open,
  })
  const { answered, failed } = createReporter(health, observer)
  const prober = createProbe({ attempt: () => attempt({ client, probe, health, timed }) })
  let started = false
  let closed = false

  client.on('ready', () => prober.soon())
  client.on('close', () => {
    if (!closed && health.status() !== 'down') failed(new Error('the connection closed'), performance.now())
  })
  client.on('error', (error) => health.explain(messageOf(error)))
  // Not before somebody wants it: a config that is only looked at connects nowhere.
  const start = (): void => {
    started = true
    client.connect()
    prober.start()
  }

  return {
    mayAsk: () => {
      if (!started) start()
      return health.permits(waiting())
    },
    ask: async (script, keys, args) => {
      if (!health.permits(waiting())) throw new StoreUnavailable(health.state().detail ?? 'too many calls wait')
      const startedAt = performance.now()
      try {
        const answer = await timed(client.run(script, keys, args))
        if (typeof answer !== 'string' || !answer.startsWith(`${args[0]} `)) throw new Error('the store answered another call')
        answered(startedAt)
        return answer
      } catch (error) {
        throw failed(error, startedAt)
      }
    },
    state: health.state,
    ready: (waitMs = 1_000) => {
      if (!started) start()
      return health.status() === 'down' ? room.enter(waitMs) : Promise.resolve()
    },
    close: () => {
      closed = true
      prober.stop()
      client.close()
      giveUp()
    },
  }
}
