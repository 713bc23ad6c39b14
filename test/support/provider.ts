import { authenticator as schema } from '../../src/config/schema-authenticators.ts'
import { compileIntrospection, compileRemote } from '../../src/config/compile-providers.ts'
import { compileSession } from '../../src/config/compile-sessions.ts'
import { compileSupabase } from '../../src/config/compile-supabase.ts'
import type { Mistake } from '../../src/config/mistake.ts'
import type { CompiledProvider, ProviderContext } from '../../src/config/provider-context.ts'
import { createResources } from '../../src/config/resources.ts'
import type { Clock } from '../../src/base/time.ts'
import { SILENT } from '../../src/model/event.ts'
import type { Verification } from '../../src/model/ports.ts'
import { request } from './described.ts'

export interface ProviderUnderTest {
  readonly compiled: CompiledProvider | undefined
  readonly mistakes: readonly Mistake[]
  readonly warnings: readonly Mistake[]
  /** Extracts from these headers and verifies; the extraction when it is no credential. */
  readonly ask: (headers: Readonly<Record<string, string | readonly string[]>>, now?: number) => Promise<Verification | { readonly kind: string } | undefined>
  readonly bearer: (token: string, now?: number) => Promise<Verification | { readonly kind: string } | undefined>
}

/** Compiles one authenticator as an operator would write it. */
export function provider(written: Readonly<Record<string, unknown>>, { clock = Date.now }: { clock?: Clock } = {}): ProviderUnderTest {
  const config = schema.parse(written)
  const mistakes: Mistake[] = []
  const warnings: Mistake[] = []
  const context: ProviderContext = { id: 'provider', resources: createResources({ clock, observer: SILENT }), forward: 'strip', mistakes, warnings }
  const compile = (): CompiledProvider | undefined => {
    switch (config.type) {
      case 'supabase':
        return compileSupabase(config, context)
      case 'session':
        return compileSession(config, context)
      case 'introspection':
        return compileIntrospection(config, context)
      case 'remote':
        return compileRemote(config, context)
      default:
        throw new Error(`${config.type} is compiled elsewhere`)
    }
  }
  const compiled = compile()
  const ask: ProviderUnderTest['ask'] = async (headers, now = clock()) => {
    if (!compiled) throw new Error('the provider is off')
    const found = compiled.authenticator.extract(request({ headers }))
    return found?.kind === 'credential' ? compiled.authenticator.verify(found, now) : found
  }
  return { compiled, mistakes, warnings, ask, bearer: (token, now) => ask({ authorization: `Bearer ${token}` }, now) }
}
