import type { Compiled } from '../config/compile.ts'

/** What every provider can say of itself. */
export interface ProviderState {
  readonly name: string
  /** Usable keys. */
  readonly keys: number
  readonly lastSuccessAt: number | undefined
  /** Only while the last attempt failed. */
  readonly lastError: string | undefined
  /** Settings without which it was started (`start_degraded`); empty when nothing is missing. */
  readonly missing: readonly string[]
}

const numberIn = (state: object, name: string): number | undefined => {
  const value: unknown = Object.entries(state).find(([key]) => key === name)?.[1]
  return typeof value === 'number' ? value : undefined
}

const textIn = (state: object, name: string): string | undefined => {
  const value: unknown = Object.entries(state).find(([key]) => key === name)?.[1]
  return typeof value === 'string' ? value : undefined
}

const textsIn = (state: object, name: string): readonly string[] => {
  const value: unknown = Object.entries(state).find(([key]) => key === name)?.[1]
  return Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : []
}

/** States of the providers of a config: key sets and key files. Kinds that know less leave members out. */
export function providerStates({ providers }: Compiled): readonly ProviderState[] {
  return providers.map(({ name, state }) => {
    const told = state()
    const known = typeof told === 'object' && told !== null ? told : {}
    return { name, keys: numberIn(known, 'keys') ?? 0, lastSuccessAt: numberIn(known, 'lastSuccessAt'), lastError: textIn(known, 'lastError'), missing: textsIn(known, 'degraded') }
  })
}
