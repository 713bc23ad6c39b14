import { authenticator as schema } from '../../src/config/schema-authenticators.ts'
import { compileIntrospection, compileRemote } from '../../src/config/compile-providers.ts'
import { compileSession } from '../../src/config/compile-sessions.ts'
import { compileSupabase } from '../../src/config/compile-supabase.ts'
import type { Mistake } from '../../src/config/mistake.ts'
import { configSchema } from '../../src/config/schema.ts'
import type { AuthenticatorContext, Readiness } from '../../src/config/authenticator-context.ts'
import { compileJwt } from '../../src/config/compile-jwt.ts'
import { createResources } from '../../src/config/resources.ts'
import type { Clock } from '../../src/base/time.ts'
import { SILENT } from '../../src/model/event.ts'
import type { Authenticator, Verification } from '../../src/model/ports.ts'
import { request } from './described.ts'

export interface ProviderUnderTest {
  readonly compiled: Authenticator | undefined
  readonly mistakes: readonly Mistake[]
  readonly warnings: readonly Mistake[]
  readonly readiness: readonly Readiness[]
  /** Extracts from these headers and verifies; the extraction when it is no credential. */
  readonly ask: (headers: Readonly<Record<string, string | readonly string[]>>, now?: number) => Promise<Verification | { readonly kind: string } | undefined>
  readonly bearer: (token: string, now?: number) => Promise<Verification | { readonly kind: string } | undefined>
}

/** Compiles one authenticator as an operator would write it. */
export function provider(written: Readonly<Record<string, unknown>>, { clock = Date.now }: { clock?: Clock } = {}): ProviderUnderTest {
  const config = schema.parse(written)
  const mistakes: Mistake[] = []
  const warnings: Mistake[] = []
  const readiness: Readiness[] = []
  const context: AuthenticatorContext = { name: 'provider', path: ['authenticators', 'provider'], config: configSchema.parse({ version: 1 }), resources: createResources({ clock, observer: SILENT }), mistakes, warnings, readiness }
  const compile = (): Authenticator | undefined => {
    switch (config.type) {
      case 'supabase':
        return compileSupabase(config, context)
      case 'session':
        return compileSession(config, context)
      case 'introspection':
        return compileIntrospection(config, context)
      case 'remote':
        return compileRemote(config, context)
      case 'jwt':
        return compileJwt(config, context)
      default:
        throw new Error(`${config.type} is compiled elsewhere`)
    }
  }
  const compiled = compile()
  const ask: ProviderUnderTest['ask'] = async (headers, now = clock()) => {
    if (!compiled) throw new Error('the provider is off')
    const found = compiled.extract(request({ headers }))
    return found?.kind === 'credential' ? compiled.verify(found, now) : found
  }
  return { compiled, mistakes, warnings, readiness, ask, bearer: (token, now) => ask({ authorization: `Bearer ${token}` }, now) }
}
