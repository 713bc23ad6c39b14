import type { Config, RouteConfig } from './schema.ts'
import { suggestion } from './did-you-mean.ts'
import type { ConfigPath, Mistake } from './mistake.ts'

/** A mistake of meaning. */
export interface Finding extends Mistake {
  /** Top-level keys that it concludes from: when one of them could not be read whole, the conclusion may be false and is not drawn. */
  readonly needs?: readonly (keyof Config)[]
}

export interface Findings {
  readonly mistakes: readonly Finding[]
  readonly warnings: readonly Finding[]
}

/** Longer lists help nobody. */
const MANY = 14

/** One `unknown …` message for every name that does not exist. */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  const rest = known.length === 0 ? ' None is configured' : known.length <= MANY ? ` One of: ${known.join(', ')}` : ''
  return `there is no ${what} "${name}".${suggestion(name, known)}${rest}`
}

/** A use of an authenticator on a route, with where it is written. */
export interface AuthUse {
  readonly name: string
  readonly path: ConfigPath
}

type RouteAuth = NonNullable<RouteConfig['auth']>
type Use = Extract<RouteAuth, readonly unknown[]>[number]

function useOf(use: Use, path: ConfigPath): AuthUse {
  if (typeof use === 'string') return { name: use, path }
  return 'use' in use ? { name: use.use, path: [...path, 'use'] } : { name: use.optional, path: [...path, 'optional'] }
}

/** Every authenticator that a route names; none for `auth: none` and for routes that name none. */
export function usesOf(auth: RouteAuth | undefined, path: ConfigPath): readonly AuthUse[] {
  if (auth === undefined || auth === 'none') return []
  if (typeof auth === 'string') return [{ name: auth, path }]
  if (Array.isArray(auth)) return auth.map((use, index) => useOf(use, [...path, index]))
  const [mode, uses] = 'any' in auth ? (['any', auth.any] as const) : (['all', auth.all] as const)
  return [...uses.map((use, index) => useOf(use, [...path, mode, index])), ...(auth.primary === undefined ? [] : [{ name: auth.primary, path: [...path, 'primary'] }])]
}

/** Whether refusals on a route are only counted: what it says itself, or else what the config says of all. */
export const isObserved = ({ mode }: RouteConfig, { observe }: Pick<Config, 'observe'>): boolean => (mode ?? (observe ? 'observe' : 'enforce')) === 'observe'

/** Whether somebody must prove who they are on a route. */
export const isGuarded = (route: RouteConfig): boolean => route.auth !== 'none' && route.deny === undefined
