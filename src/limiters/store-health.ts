import type { EpochMs } from '../base/time.ts'
import type { Observer } from '../model/event.ts'
import { createBreaker, type Breaker, type BreakerSettings, type StoreStatus } from './breaker.ts'

/** What `/readyz?verbose` says of the store. */
export interface StoreState {
  readonly status: StoreStatus
  /** Since when. */
  readonly since: EpochMs
  /** Why it is not serving; never a secret. */
  readonly detail?: string
}

/** A breaker that tells of its switches, each once. */
export interface StoreHealth extends Pick<Breaker, 'status' | 'permits' | 'succeeded' | 'probed'> {
  readonly failed: (how: 'timeout' | 'error', why: string) => void
  /** Remembers why it stays away. */
  readonly explain: (why: string) => void
  readonly state: () => StoreState
}

export interface StoreHealthSettings extends BreakerSettings {
  readonly observer: Observer
  /** For messages. */
  readonly name: string
  readonly wentDown: () => void
  readonly cameUp: () => void
}

export function createStoreHealth({ observer, name, many, wentDown, cameUp }: StoreHealthSettings): StoreHealth {
  const breaker = createBreaker({ many })
  let since: EpochMs = Date.now()
  let detail: string | undefined = 'not connected yet'
  let told: StoreStatus = 'down'

  const tell = (why?: string): void => {
    const status = breaker.status()
    if (status === told) return
    const lasted = Date.now() - since
    const before = told
    told = status
    since = Date.now()
    detail = status === 'down' ? why : status === 'recovering' ? 'coming back' : undefined
    if (status === 'down') observer.noticed('warn', 'store_unavailable', `${name}: ${why ?? 'no answer'}. Each quota falls back to its on_store_error.`, { store: name })
    else if (status === 'recovering') observer.noticed('info', 'store_recovering', `${name} answers again; it is asked little by little`, { store: name, after_ms: lasted })
    else observer.noticed('info', 'store_available', `${name} is in use`, { store: name })
    if (status === 'down') wentDown()
    else if (before === 'down') cameUp()
  }

  return {
    status: breaker.status,
    permits: breaker.permits,
    succeeded: () => {
      breaker.succeeded()
      if (told !== 'serving') tell()
    },
    probed: () => {
      breaker.probed()
      tell()
    },
    failed: (how, why) => {
      breaker.failed(how)
      tell(why)
    },
    explain: (why) => {
      if (told === 'down') detail = why
    },
    state: () => ({ status: told, since, ...(detail !== undefined && { detail }) }),
  }
}
