import type { Principals } from './principal.ts'
import type { RequestDescription } from './request.ts'

/** A change of headers: remove first, then set. Names in `set` as they are to be written; in `remove` lower-case. */
export interface HeaderMutation {
  /** Lower-case header names. */
  readonly remove: readonly string[]
  /** Exact cookie names to take out of the `Cookie` field. */
  readonly removeCookies: readonly string[]
  /** Values are header-safe already. */
  readonly set: readonly (readonly [name: string, value: string])[]
}

export const NO_MUTATION: HeaderMutation = { remove: [], removeCookies: [], set: [] }

/** Makes a change from what was verified. Pure: the same fields and the same principals make the same change. */
export type Mutator = (request: Pick<RequestDescription, 'headers'>, principals: Principals) => HeaderMutation
