import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

/** Host without its port, lower-case; undefined when it is missing or repeated. */
function hostOf({ headersDistinct }: IncomingMessage): string | undefined {
  const [host, ...more] = headersDistinct['host'] ?? []
  return host === undefined || more.length > 0 ? undefined : host.toLowerCase().replace(/:\d{1,5}$/, '')
}

/** What is wrong with where a request comes from: the name it was asked by, or the page that asked. */
export type Strangeness = { readonly what: 'name' | 'origin'; readonly value: string }

/**
 * A page that had its name point here (DNS rebinding) comes with that name as Host, and any page of another origin with an Origin or
 * Sec-Fetch-Site that says so. An address cannot be rebound.
 */
export function strangeOrigin(incoming: IncomingMessage, hosts: ReadonlySet<string>): Strangeness | undefined {
  const host = hostOf(incoming)
  if (host === undefined || !(hosts.has(host) || isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0)) return { what: 'name', value: host ?? '' }
  const [origin, ...more] = incoming.headersDistinct['origin'] ?? []
  const own = incoming.headers.host?.toLowerCase()
  if (more.length > 0 || (origin !== undefined && origin !== `http://${own}` && origin !== `https://${own}`)) return { what: 'origin', value: origin ?? '' }
  const site = incoming.headers['sec-fetch-site']
  return site === 'cross-site' || site === 'same-site' ? { what: 'origin', value: site } : undefined
}
