import { hostname, networkInterfaces } from 'node:os'
import { listeners } from './check-listeners.ts'
import type { Finding } from './finding.ts'
import { pathText } from './mistake.ts'
import type { Address } from './scalars.ts'
import type { Config } from './schema.ts'

const EVERY: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.')

/** Every name and address under which this machine reaches itself, besides loopback. */
const ownNames = (): ReadonlySet<string> => new Set([hostname().toLowerCase(), ...Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address))])

/** Where requests for an upstream go. */
function targetOf(url: string): Address {
  if (url.startsWith('unix:')) return { host: '', port: 0, path: url.slice('unix:'.length) }
  const { hostname: host, port, protocol } = new URL(url)
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port || (protocol === 'https:' ? 443 : 80)) }
}

/** Whether a connection to `target` arrives at a listener on `address`. */
function arrivesAt(target: Address, address: Address): boolean {
  if (target.path !== undefined || address.path !== undefined) return target.path === address.path
  if (address.port === 0 || target.port !== address.port) return false
  if (target.host === address.host) return true
  // Who connects to "every address" gets loopback.
  const loops = isLoopback(target.host) || EVERY.has(target.host)
  if (EVERY.has(address.host)) return loops || ownNames().has(target.host)
  const [a, b] = [target.host, address.host]
  return loops && isLoopback(b) && (EVERY.has(a) || a === 'localhost' || b === 'localhost') && (b === '127.0.0.1' || b === '::1' || b === 'localhost' || a === b)
}

/** An upstream that is Postern itself: every request would come round until nothing is left, or clients would reach what is not for them. */
export function checkLoops(config: Config): readonly Finding[] {
  if (config.mode === 'forward_auth') return []
  return Object.entries(config.upstreams ?? {}).flatMap(([name, { url }]): Finding[] => {
    const found = listeners(config).find(({ address }) => arrivesAt(targetOf(url), address))
    if (!found) return []
    const what = pathText(found.path)
    const why = what === 'listen' ? 'every request would come back to it; say where the API listens, or give one of the two another port' : `"${what}" is not for clients; say where the API listens`
    return [{ path: ['upstreams', name, 'url'], message: `this is an address that Postern itself listens on ("${what}"): ${why}`, needs: ['listen', 'ops', 'admin', 'forward_auth', 'mode'] }]
  })
}
