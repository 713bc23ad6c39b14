import { createAnonymousAuthenticator } from '../authenticators/anonymous.ts'
import { withDenyList } from '../authenticators/with-deny-list.ts'
import type { Authenticator } from '../model/ports.ts'
import type { AuthenticatorUse } from '../model/route.ts'
import type { AuthenticatorContext, Readiness } from './authenticator-context.ts'
import { compileDenyList } from './compile-deny-list.ts'
import { compileApiKey } from './compile-api-key.ts'
import { compileJwt } from './compile-jwt.ts'
import { compileIntrospection, compileRemote } from './compile-providers.ts'
import { compileSession } from './compile-sessions.ts'
import { compileSupabase } from './compile-supabase.ts'
import type { Mistake } from './mistake.ts'
import type { Resources } from './resources.ts'
import type { AuthenticatorConfig, Config } from './schema.ts'

/** An authenticator with what the config says about using it. */
export interface CompiledAuthenticator {
  readonly authenticator: Authenticator
  readonly onMissing: AuthenticatorUse['onMissing']
  readonly onInvalid: AuthenticatorUse['onInvalid']
  readonly onUnavailable: AuthenticatorUse['onUnavailable']
  /** As written. */
  readonly errors?: NonNullable<Extract<AuthenticatorConfig, { type: 'jwt' }>['errors']>
  /** Scopes that whoever it lets in must have, on every route. */
  readonly scopes?: readonly string[]
  /** Place in the config, from 0; those that are off keep theirs. */
  readonly order: number
}

export interface CompiledAuthenticators {
  /** Those that are on, in the order of the config. */
  readonly authenticators: ReadonlyMap<string, CompiledAuthenticator>
  /** Which ones are off, and why. */
  readonly warnings: readonly Mistake[]
  readonly readiness: readonly Readiness[]
}

function authenticatorOf(config: AuthenticatorConfig, context: AuthenticatorContext): Authenticator | undefined {
  switch (config.type) {
    case 'jwt':
      return compileJwt(config, context)
    case 'api_key':
      return compileApiKey(config, context)
    case 'supabase':
      return compileSupabase(config, context)
    case 'introspection':
      return compileIntrospection(config, context)
    case 'session':
      return compileSession(config, context)
    case 'remote':
      return compileRemote(config, context)
    case 'anonymous':
      return createAnonymousAuthenticator(context.name)
  }
}

function compiledOf(config: AuthenticatorConfig, authenticator: Authenticator, order: number): CompiledAuthenticator {
  if (config.type === 'anonymous') return { authenticator, onMissing: 'next', onInvalid: 'reject', onUnavailable: 'error', order }
  const { on_missing: onMissing, on_invalid: onInvalid, on_unavailable: onUnavailable, errors } = config
  return { authenticator, onMissing, onInvalid, onUnavailable, order, ...(errors && { errors }), ...(config.type === 'introspection' && { scopes: config.scopes }) }
}

/**
 * Builds every authenticator of a config. Key sources and key files are kept across reloads, for as long as what made them stays the
 * same; remembered tokens are not. Asks nobody: key sources start when they are first needed or waited for.
 *
 * @param mistakes  what is wrong is added here; an authenticator with a mistake is left out
 */
export function compileAuthenticators(config: Config, resources: Resources, mistakes: Mistake[]): CompiledAuthenticators {
  const authenticators = new Map<string, CompiledAuthenticator>()
  const warnings: Mistake[] = []
  const readiness: Readiness[] = []
  const denyList = compileDenyList(config, resources, mistakes)
  for (const [order, [name, written]] of Object.entries(config.authenticators ?? {}).entries()) {
    const context: AuthenticatorContext = { name, path: ['authenticators', name], config, resources, mistakes, warnings, readiness }
    const authenticator = authenticatorOf(written, context)
    if (authenticator) authenticators.set(name, compiledOf(written, denyList && written.type !== 'anonymous' ? withDenyList(authenticator, denyList) : authenticator, order))
  }
  return { authenticators, warnings, readiness }
}
