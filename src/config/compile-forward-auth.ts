import { sha256 } from '../base/bytes.ts'
import type { ForwardAuthSettings } from '../model/gateway.ts'
import type { Authenticator } from '../model/ports.ts'
import { answersChecks } from './check-forward-auth.ts'
import type { AuthenticatorConfig, Config } from './schema.ts'

/** Carriers as they are written, also of an authenticator that is off because a variable is empty: a snippet is made once for all machines. */
function writtenCarriers(authenticator: AuthenticatorConfig): readonly string[] {
  if (!('in' in authenticator) || !Array.isArray(authenticator.in)) return []
  const carriers: readonly Readonly<Record<string, unknown>>[] = authenticator.in
  return carriers.map((carrier) => ('bearer' in carrier ? 'authorization' : 'header' in carrier ? String(carrier['header']).toLowerCase() : 'cookie'))
}

/** Every header, lower-case, in which some authenticator of a config finds credentials. */
export function credentialHeaders({ authenticators: written }: Config, authenticators: readonly Pick<Authenticator, 'carriers'>[]): readonly string[] {
  const compiled = authenticators.flatMap(({ carriers }) => carriers.map(({ kind, name }) => (kind === 'cookie' ? 'cookie' : name.toLowerCase())))
  return [...new Set([...compiled, ...Object.values(written ?? {}).flatMap(writtenCarriers)])]
}

/** Whether no route and no authenticator ever takes a credential away. */
function keepsAll({ forward, authenticators, routes }: Config): boolean {
  const { credentials } = forward
  const general = credentials === 'keep' || (typeof credentials === 'object' && Object.values(credentials).every((each) => each === 'keep'))
  return general && Object.values(authenticators ?? {}).every((each) => !('credential' in each) || each.credential !== 'strip') && (routes ?? []).every(({ mcp }) => mcp === undefined)
}

/**
 * Credential headers, lower-case, that callers replace by what Postern gives back. All of them as soon as one may have to go: one that may
 * stay is given back as it came.
 */
export const replacedHeaders = (config: Config, authenticators: readonly Pick<Authenticator, 'carriers'>[]): readonly string[] => (keepsAll(config) ? [] : credentialHeaders(config, authenticators))

/** What the forward-auth face needs of a config; undefined when it is off. */
export function compileForwardAuth(config: Config, authenticators: readonly Authenticator[]): ForwardAuthSettings | undefined {
  if (!answersChecks(config)) return undefined
  return { secretDigests: (config.forward_auth?.secret ?? []).map((secret) => sha256(secret)), returned: replacedHeaders(config, authenticators) }
}
