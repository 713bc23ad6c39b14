import { createAuthority, type Authority } from '../authenticators/authority.ts'
import type { IdentityPointers } from '../authenticators/identity-claims.ts'
import { fetchJson, isTrustworthyUrl } from '../authenticators/side-call.ts'
import { createVerdictCache, type VerdictCache } from '../authenticators/verdict-cache.ts'
import type { CalledEvent } from '../model/event.ts'
import { complain, type AuthenticatorContext } from './authenticator-context.ts'
import type { ConfigPath } from './mistake.ts'
import type { AuthenticatorConfig } from './schema.ts'

export type KindOf<T extends AuthenticatorConfig['type']> = Extract<AuthenticatorConfig, { readonly type: T }>

/** Not wrong, but the operator should know. Gives nothing, so that `return warn(…)` says that an authenticator is off. */
export function warn({ path, warnings }: AuthenticatorContext, key: ConfigPath, message: string): undefined {
  warnings.push({ path: [...path, ...key], message })
  return undefined
}

/** Credentials go to this URL: https, or this very host, or the operator says that plain HTTP is meant. */
export function checkUrl(context: AuthenticatorContext, key: ConfigPath, { url, allowHttp }: { readonly url: string; readonly allowHttp: boolean }): void {
  if (url !== '' && !allowHttp && !isTrustworthyUrl(url)) complain(context, key, `${JSON.stringify(url)} – expected https, since credentials are sent there; a neighbour in a private network needs "allow_http: true"`)
}

interface CacheConfig { readonly ttl: number; readonly negative_ttl: number; readonly max_entries: number }

/** Answers are not kept across reloads: a reload is also how an operator says "look again". */
export const verdictsOf = ({ resources }: AuthenticatorContext, name: string, { ttl, negative_ttl: negativeTtlMs, max_entries: maxEntries }: CacheConfig, staleIfErrorMs = 0): VerdictCache =>
  createVerdictCache({ name, ttlMs: ttl, negativeTtlMs, maxEntries, staleIfErrorMs, observer: resources.observer })

export const authorityOf = ({ name, resources }: AuthenticatorContext, operation: CalledEvent['operation'], timeoutMs: number): Authority =>
  createAuthority({ dependency: name, operation, timeoutMs, fetchJson: resources.fetchJson ?? fetchJson, observer: resources.observer, clock: resources.clock })

interface MappingConfig { readonly subject: readonly string[]; readonly scopes: readonly string[]; readonly roles: readonly string[]; readonly email: readonly string[]; readonly tier?: readonly string[] | undefined; readonly default_tier?: string | undefined }

export const pointersOf = ({ default_tier: defaultTier, ...map }: MappingConfig): IdentityPointers => ({ ...map, defaultTier })
