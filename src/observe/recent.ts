import type { AdministeredEvent, DecidedEvent, Observer } from '../model/event.ts'
import { denialOf, slugOf } from './speaker.ts'

/** One decision as the admin page shows it: no header, no query, no credential. */
export interface RecentDecision {
  readonly at: number
  readonly method: string
  readonly path: string
  readonly client: string
  readonly route: string | undefined
  readonly outcome: 'allow' | 'deny' | 'answer'
  /** The reason of a refusal, or its code. */
  readonly reason: string | undefined
  readonly principal: string | undefined
  readonly requestId: string
}

/** The last decisions and acts of this process, the newest first. */
export interface Recent {
  readonly decisions: () => readonly RecentDecision[]
  readonly acts: () => readonly AdministeredEvent[]
}

const MAX = 200
const MAX_PATH = 200

/** Keeps the last so-many; the oldest place is written anew, so that remembering costs no copying. */
function createRing<T>(): { readonly add: (entry: T) => void; readonly newest: () => readonly T[] } {
  const ring: T[] = []
  let next = 0
  return {
    add: (entry) => {
      ring[next] = entry
      next = (next + 1) % MAX
    },
    newest: () => [...ring.slice(next), ...ring.slice(0, next)].toReversed(),
  }
}

function recentOf({ request, wire, decision }: DecidedEvent, at: number): RecentDecision {
  const denial = denialOf(decision)
  const primary = decision.principals?.primary
  return {
    at, method: wire.method, path: wire.path.slice(0, MAX_PATH), client: request?.client.ip ?? wire.peer, route: decision.route?.id, outcome: decision.outcome,
    reason: denial && slugOf(denial), principal: primary?.kind === 'identified' ? `${primary.authenticatorId}:${primary.subject}` : undefined, requestId: wire.id,
  }
}

/** The same observer, which also remembers the last of what it is told. */
export function withRecent(observer: Observer): { readonly observer: Observer; readonly recent: Recent } {
  // What is shown, not the event: nobody's credential is held here.
  const decisions = createRing<RecentDecision>()
  const acts = createRing<AdministeredEvent>()
  return {
    observer: {
      ...observer,
      decided: (event) => {
        // Whoever looks would see little else than their own looking.
        if (event.face !== 'admin') decisions.add(recentOf(event, Date.now()))
        observer.decided(event)
      },
      administered: (event) => {
        acts.add(event)
        observer.administered?.(event)
      },
    },
    recent: { decisions: decisions.newest, acts: acts.newest },
  }
}
