import type { Carrier } from '../authenticators/carriers.ts'
import type { BearerScheme } from '../authenticators/bearer.ts'
import type { KeySource } from '../authenticators/key-source.ts'
import type { ConfigPath, Mistake } from './mistake.ts'
import type { Resources } from './resources.ts'
import type { AuthenticatorConfig, Config } from './schema.ts'

/** Something that should have been tried once before Postern is ready. */
export interface Readiness {
  readonly name: string
  /** Resolves when it was tried, with or without success. Never rejects. */
  readonly ready: () => Promise<void>
  /** Plain data for `/readyz?verbose`; never a secret. */
  readonly state: () => unknown
}

/** What compiling one authenticator needs. What it finds wrong goes into the lists. */
export interface AuthenticatorContext {
  readonly name: string
  /** Of the authenticator in the long form. */
  readonly path: ConfigPath
  readonly config: Config
  readonly resources: Resources
  readonly mistakes: Mistake[]
  readonly warnings: Mistake[]
  readonly readiness: Readiness[]
}

type CarrierConfig = Extract<AuthenticatorConfig, { type: 'jwt' }>['in'][number]

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Fields that mean something else, and that nobody could strip without breaking the request. */
const NO_CARRIERS = new Set(['cookie', 'host', 'content-length', 'content-type', 'transfer-encoding', 'connection', 'upgrade', 'origin', 'forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip'])

/** Complains about a key of this authenticator. */
export const complain = ({ path, mistakes }: AuthenticatorContext, key: ConfigPath, message: string): void => {
  mistakes.push({ path: [...path, ...key], message })
}

function carrierOf(carrier: CarrierConfig, scheme: BearerScheme): Carrier {
  if ('bearer' in carrier) return { kind: 'bearer', scheme }
  return 'header' in carrier ? { kind: 'header', name: carrier.header.toLowerCase() } : { kind: 'cookie', name: carrier.cookie }
}

/** Carriers as the authenticators know them, in order. */
export function carriersOf(carriers: readonly CarrierConfig[], scheme: BearerScheme, context: AuthenticatorContext): readonly Carrier[] {
  const compiled = carriers.map((carrier) => carrierOf(carrier, scheme))
  for (const [index, carrier] of compiled.entries()) {
    if (carrier.kind === 'bearer') continue
    if (!TOKEN.test(carrier.name)) complain(context, ['in', index, carrier.kind], `${JSON.stringify(carrier.name)} cannot be the name of a ${carrier.kind}`)
    else if (carrier.kind === 'header' && NO_CARRIERS.has(carrier.name)) complain(context, ['in', index, 'header'], `"${carrier.name}" cannot carry a credential`)
  }
  return compiled
}

/** Whether the upstream sees the credential: what the authenticator says, or else what `forward.credentials` says about its kind. */
export function forwardingOf(own: 'keep' | 'strip' | undefined, kind: 'jwt' | 'api_key', carriers: readonly Carrier[], { config }: AuthenticatorContext): 'keep' | 'strip' {
  const { credentials } = config.forward
  if (own !== undefined) return own
  if (typeof credentials === 'string') return credentials
  return credentials[carriers.every((carrier) => carrier.kind === 'cookie') ? 'cookie' : kind]
}

/** Has a key source tried before Postern is ready. Shared sources are listed once. */
export function awaited(source: KeySource, { readiness }: AuthenticatorContext): KeySource {
  const known = readiness.some(({ ready }) => ready === source.ready)
  if (!known) readiness.push({ name: source.id, ready: source.ready, state: source.state })
  return source
}
