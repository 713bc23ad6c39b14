import { sha256Hex } from '../base/bytes.ts'
import { createAuthority, type Authority } from '../authenticators/authority.ts'
import type { Carrier } from '../authenticators/carriers.ts'
import type { IdentityPointers } from '../authenticators/identity-claims.ts'
import { fetchJson, isTrustworthyUrl } from '../authenticators/side-call.ts'
import { createVerdictCache, type VerdictCache } from '../authenticators/verdict-cache.ts'
import type { CalledEvent } from '../model/event.ts'
import type { Authenticator } from '../model/ports.ts'
import type { ConfigPath, Mistake } from './mistake.ts'
import type { Resources } from './resources.ts'
import type { AuthenticatorConfig, Config } from './schema.ts'

/** What compiling one authenticator needs. */
export interface ProviderContext {
  /** Its name in the config. */
  readonly id: string
  readonly resources: Resources
  readonly forward: Config['forward']['credentials']
  readonly mistakes: Mistake[]
  readonly warnings: Mistake[]
}

/** A compiled authenticator, or nothing when the variables that feed it are unset. */
export interface CompiledProvider {
  readonly authenticator: Authenticator
  /** Resolves when its keys were tried once. */
  readonly ready?: () => Promise<void>
  /** Scopes that every principal of it must have, on every route. */
  readonly scopes?: readonly string[]
  /** Settings that are missing while it runs degraded. */
  readonly missing?: readonly string[]
}

export type KindOf<T extends AuthenticatorConfig['type']> = Extract<AuthenticatorConfig, { readonly type: T }>

/** An error in this authenticator's part of the config. */
export function mistake({ id, mistakes }: ProviderContext, path: ConfigPath, message: string): undefined {
  mistakes.push({ path: ['authenticators', id, ...path], message })
  return undefined
}

/** Not wrong, but the operator should know. */
export function warn({ id, warnings }: ProviderContext, path: ConfigPath, message: string): undefined {
  warnings.push({ path: ['authenticators', id, ...path], message })
  return undefined
}

/** Whether the upstream still sees the credential. */
export function forwardingOf({ forward }: ProviderContext, kind: 'jwt' | 'cookie', own: 'keep' | 'strip' | undefined): 'keep' | 'strip' {
  return own ?? (typeof forward === 'string' ? forward : forward[kind])
}

/** Credentials go to this URL: https, or this very host, or the operator says that plain HTTP is meant. */
export function checkUrl(context: ProviderContext, path: ConfigPath, { url, allowHttp }: { readonly url: string; readonly allowHttp: boolean }): void {
  if (url !== '' && !allowHttp && !isTrustworthyUrl(url)) mistake(context, path, `${JSON.stringify(url)} – expected https, since credentials are sent there; a neighbour in a private network needs "allow_http: true"`)
}

interface CacheConfig { readonly ttl: number; readonly negative_ttl: number; readonly max_entries: number }

/** Kept across reloads that do not change what the answers depend on. */
export function verdictsOf({ id, resources }: ProviderContext, name: string, { config, cache, staleIfErrorMs = 0 }: { readonly config: unknown; readonly cache: CacheConfig; readonly staleIfErrorMs?: number }): VerdictCache {
  const settings = { name, ttlMs: cache.ttl, negativeTtlMs: cache.negative_ttl, maxEntries: cache.max_entries, staleIfErrorMs }
  return resources.keep('verdicts', sha256Hex(JSON.stringify([id, config, settings])), () => createVerdictCache({ ...settings, observer: resources.observer }))
}

export function authorityOf({ id, resources }: ProviderContext, operation: CalledEvent['operation'], timeoutMs: number): Authority {
  return createAuthority({ dependency: id, operation, timeoutMs, fetchJson, observer: resources.observer, clock: resources.clock })
}

interface MappingConfig { readonly subject: readonly string[]; readonly scopes: readonly string[]; readonly roles: readonly string[]; readonly email: readonly string[]; readonly tier?: readonly string[] | undefined; readonly default_tier?: string | undefined }

export const pointersOf = ({ default_tier: defaultTier, ...map }: MappingConfig): IdentityPointers => ({ ...map, defaultTier })

type CarrierConfig = KindOf<'supabase'>['in'][number]

/** @param cookieName  what `auto` stands for */
export function carriersOf(carriers: readonly CarrierConfig[], scheme: 'required' | 'optional', cookieName?: string): readonly Carrier[] {
  return carriers.map((carrier): Carrier => {
    if ('bearer' in carrier) return { kind: 'bearer', scheme }
    if ('header' in carrier) return { kind: 'header', name: carrier.header.toLowerCase() }
    return { kind: 'cookie', name: carrier.cookie === 'auto' && cookieName !== undefined ? cookieName : carrier.cookie }
  })
}
