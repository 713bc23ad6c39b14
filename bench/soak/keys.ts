import { setTimeout as wait } from 'node:timers/promises'
import { ADMIN_TOKEN, type Scene } from './scene.ts'

interface Held { readonly id: string; readonly key: string }

/** API keys that come and go through the admin API. */
export interface KeyChurn {
  /** One that works now. */
  readonly good: () => string | undefined
  /** Whether it was neither rotated nor revoked until now. */
  readonly holds: (key: string) => boolean
  /** One that was revoked long enough ago for every cache. */
  readonly revoked: () => string | undefined
  readonly run: (running: () => boolean) => Promise<void>
  readonly acts: () => number
}

const HELD = 20
/** A change is seen within a quarter of a second. */
const SEEN_AFTER_MS = 1_000
const PAUSE_MS = 400

export function createKeyChurn({ adminPort }: Scene): KeyChurn {
  const held: Held[] = []
  let gone: string[] = []
  let acts = 0

  const call = async (method: string, path: string, body?: unknown): Promise<Partial<Held>> => {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/v1/keys${path}`, { method, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    acts += 1
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`)
    const text = await answer.text()
    return text === '' ? {} : (JSON.parse(text) as Partial<Held>)
  }
  const keep = ({ id, key }: Partial<Held>): void => void (id !== undefined && key !== undefined && held.push({ id, key }))
  const bury = (key: string): void => {
    setTimeout(() => {
      gone = [...gone, key].slice(-HELD)
    }, SEEN_AFTER_MS).unref()
  }

  /** Creates until there are enough, then rotates and revokes by turns. */
  const act = async (turn: number): Promise<void> => {
    if (held.length < HELD || turn % 3 === 0) return keep(await call('POST', '', { owner: `user_${turn % 50}` }))
    const old = held.shift()
    if (!old) return
    if (turn % 3 === 1) keep(await call('POST', `/${old.id}/rotate`, { overlap: '0s' }))
    else await call('DELETE', `/${old.id}`)
    bury(old.key)
  }

  return {
    // Not the oldest: those are the next to go, and a request may be under way.
    good: () => held.slice(5)[Math.floor(Math.random() * (held.length - 5))]?.key,
    holds: (wanted) => held.some(({ key }) => key === wanted),
    revoked: () => gone[Math.floor(Math.random() * gone.length)],
    run: async (running) => {
      for (let turn = 1; running(); turn += 1) {
        await act(turn)
        await wait(held.length < HELD ? 10 : PAUSE_MS)
      }
    },
    acts: () => acts,
  }
}
