import type { EpochMs } from '../base/time.ts'
import type { Charge, ServiceLimit } from '../model/quota.ts'

/** What the script said of one call. */
export interface ScriptAnswer {
  /** Whether everything was spent; else nothing was. */
  readonly spent: boolean
  readonly limits: readonly ServiceLimit[]
  /** By charge: names the window that was spent from, for giving back. */
  readonly tokens: readonly number[]
}

/**
 * Reads the text that the script gave. Times in it are relative, so a clock of the store that differs from ours moves no reset.
 * Undefined when it is not an answer to so many charges.
 */
export function readAnswer(text: string, charges: readonly Charge[], now: EpochMs): ScriptAnswer | undefined {
  const [head = '', ...rows] = text.split(';')
  const [, spent] = head.split(' ')
  if (rows.length !== charges.length) return undefined
  const tokens: number[] = []
  const limits = charges.map(({ policy }, index): ServiceLimit => {
    const [fits, remaining, resetsIn, retryIn, token] = (rows[index] ?? '').split(' ')
    tokens.push(Number(token))
    return { policy, remaining: Number(remaining), resetsAt: now + Number(resetsIn), exceeded: fits !== '1', retryAt: now + Number(retryIn) }
  })
  return { spent: spent === '1', limits, tokens }
}
