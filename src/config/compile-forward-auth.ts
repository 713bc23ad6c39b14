import { sha256 } from '../base/bytes.ts'
import type { ForwardAuthSettings } from '../model/gateway.ts'
import type { Authenticator } from '../model/ports.ts'
import { answersChecks } from './check-forward-auth.ts'
import type { Config } from './schema.ts'

/** Headers, lower-case, in which credentials stand that the upstream shall not see. */
export function strippedHeaders(authenticators: readonly Pick<Authenticator, 'forwardCredential' | 'carriers'>[]): readonly string[] {
  const stripped = authenticators.filter(({ forwardCredential }) => forwardCredential === 'strip')
  return [...new Set(stripped.flatMap(({ carriers }) => carriers.map(({ kind, name }) => (kind === 'cookie' ? 'cookie' : name.toLowerCase()))))]
}

/** What the forward-auth face needs of a config; undefined when it is off. */
export function compileForwardAuth(config: Config, authenticators: readonly Authenticator[]): ForwardAuthSettings | undefined {
  if (!answersChecks(config)) return undefined
  return { secretDigests: (config.forward_auth?.secret ?? []).map((secret) => sha256(secret)), returned: strippedHeaders(authenticators) }
}
