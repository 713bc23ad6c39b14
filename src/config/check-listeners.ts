import { adminIsOn } from './admin-settings.ts'
import type { Finding } from './finding.ts'
import { pathText, type ConfigPath } from './mistake.ts'
import type { Address } from './scalars.ts'
import type { Config } from './schema.ts'

const isAddress = (listen: Config['listen']): listen is Address => 'host' in listen

/** Where clients connect. */
export const clientAddress = ({ listen }: Config): Address => (isAddress(listen) ? listen : listen.address)

type ChecksListener = NonNullable<NonNullable<Config['forward_auth']>['listen']>

/** Address of a listener for checks, with or without TLS. */
export const checksAddress = (listener: ChecksListener): Address => ('host' in listener ? listener : listener.address)

/** TLS of a listener for checks. */
export const checksTls = (listener: ChecksListener): Extract<ChecksListener, { readonly address: Address }>['tls'] => ('host' in listener ? undefined : listener.tls)

const EVERY = new Set(['0.0.0.0', '::'])

/** A listener, with its key. */
export interface Listening {
  readonly path: ConfigPath
  readonly address: Address
}

/** Listeners besides the one for clients. */
function inner(config: Config): readonly Listening[] {
  return [
    ...(config.ops === 'off' ? [] : [{ path: ['ops'], address: config.ops }]),
    ...(config.forward_auth?.listen ? [{ path: ['forward_auth', 'listen'], address: checksAddress(config.forward_auth.listen) }] : []),
    ...(config.forward_auth?.grpc ? [{ path: ['forward_auth', 'grpc'], address: checksAddress(config.forward_auth.grpc) }] : []),
    ...(config.admin && adminIsOn(config) ? [{ path: ['admin', 'listen'], address: config.admin.listen }] : []),
  ]
}

/** Every listener, the one for clients first. */
export const listeners = (config: Config): readonly Listening[] => [{ path: ['listen'], address: clientAddress(config) }, ...inner(config)]

function sameAddress(a: Address, b: Address): boolean {
  if (a.path !== undefined || b.path !== undefined) return a.path === b.path
  return a.port !== 0 && a.port === b.port && (a.host === b.host || EVERY.has(a.host) || EVERY.has(b.host))
}

/** Each listener needs an address of its own. */
export function checkListeners(config: Config): readonly Finding[] {
  const others = inner(config)
  return others.flatMap(({ path, address }, index): Finding[] => {
    if (sameAddress(address, clientAddress(config))) return [{ path, message: 'this is the address of "listen"; it needs one that clients cannot reach', needs: ['listen', 'ops', 'admin', 'forward_auth'] }]
    const clash = others.slice(0, index).find((other) => sameAddress(other.address, address))
    return clash ? [{ path, message: `this is the address of "${pathText(clash.path)}" already`, needs: ['ops', 'admin', 'forward_auth'] }] : []
  })
}
