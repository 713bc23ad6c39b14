import type { AuthenticatorKind } from '../model/ports.ts'
import type { CompiledAuthenticator } from './compile-authenticators.ts'
import type { Mistake } from './mistake.ts'
import type { Resources } from './resources.ts'
import type { Config } from './schema.ts'

export interface RoutesInput {
  readonly config: Config
  /** Those that are on. */
  readonly authenticators: ReadonlyMap<string, CompiledAuthenticator>
  /** Upstream ids, the default one first. */
  readonly upstreams: readonly string[]
  readonly partitionSecret: Uint8Array
  /** Where `self_service` finds the keys. */
  readonly resources?: Resources
  readonly mistakes: Mistake[]
}

/** Everything that compiling one route needs, gathered once. */
export interface RouteContext extends RoutesInput {
  readonly names: ReadonlySet<string>
  readonly kinds: ReadonlyMap<string, AuthenticatorKind>
  /** Authenticators whose people are counted as those of another one. */
  readonly countedAs: ReadonlyMap<string, string>
  readonly tierRanks: ReadonlyMap<string, number>
}
