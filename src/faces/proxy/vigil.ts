import type { Clock, DurationMs, EpochMs, MaybePromise } from '../../base/time.ts'
import type { Allow } from '../../model/decision.ts'
import type { Observer } from '../../model/event.ts'

/** Together with the quarter of a second that a store's news takes, well within the second that is promised. */
const EVERY_MS: DurationMs = 250

/** Watches over what stays open: tunnels and answers that have not ended. */
export interface Vigil {
  /**
   * Calls `end` once when a proof of the request is ended before its time, or when `until` has come. Gives what stops watching, or
   * undefined when neither can be.
   */
  readonly watch: (decision: Allow, end: (why: 'revoked' | 'expired') => void, until?: EpochMs) => (() => void) | undefined
  readonly close: () => void
}

type Question = (now: EpochMs) => MaybePromise<boolean>

interface Watched { readonly questions: readonly Question[]; readonly until: EpochMs; readonly end: (why: 'revoked' | 'expired') => void; asking: boolean }

/** One question for each proof whose authenticator can say more than "it expires". */
function questionsOf({ route: { authentication, observe }, principals }: Allow): readonly Question[] {
  // Where refusals are let pass, what is open stays open.
  if (authentication.mode === 'none' || observe) return []
  return authentication.uses.flatMap(({ authenticator: { id, ended } }): Question[] => {
    const principal = ended && principals.byAuthenticator.get(id)
    return ended && principal?.kind === 'identified' ? [(now) => ended(principal, now)] : []
  })
}

/** One timer for all: it starts with the first that is watched, and then goes on, since most answers end between two looks. */
export function createVigil({ clock, observer }: { readonly clock: Clock; readonly observer: Observer }): Vigil {
  const open = new Set<Watched>()
  let timer: NodeJS.Timeout | undefined

  const judge = (watched: Watched, over: boolean): void => {
    watched.asking = false
    if (over && open.delete(watched)) watched.end('revoked')
  }

  const ask = (watched: Watched, now: EpochMs): void => {
    const answers = watched.questions.map((question) => question(now))
    if (answers.every((answer) => typeof answer === 'boolean')) return judge(watched, answers.includes(true))
    watched.asking = true
    Promise.all(answers).then((all) => judge(watched, all.includes(true)), (error: unknown) => {
      watched.asking = false
      observer.faulted(error)
    })
  }

  const look = (): void => {
    const now = clock()
    for (const watched of open) {
      if (now >= watched.until) {
        open.delete(watched)
        watched.end('expired')
      } else if (!watched.asking) ask(watched, now)
    }
  }

  return {
    watch: (decision, end, until = Number.POSITIVE_INFINITY) => {
      const questions = questionsOf(decision)
      if (questions.length === 0 && until === Number.POSITIVE_INFINITY) return undefined
      const watched: Watched = { questions, until, end, asking: false }
      open.add(watched)
      timer ??= setInterval(look, EVERY_MS).unref()
      return () => void open.delete(watched)
    },
    close: () => clearInterval(timer),
  }
}
