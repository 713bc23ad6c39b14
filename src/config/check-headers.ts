import type { Finding } from './finding.ts'
import type { ConfigPath } from './mistake.ts'
import type { Config } from './schema.ts'

/** Fields that belong to one connection or frame a message (RFC 9110 section 7.6.1, RFC 9112 section 6). */
const CONNECTION = new Set(['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings', 'content-length', 'expect', 'host'])

const CREDENTIALS = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie'])

/** Fields that Postern writes itself. `X-Forwarded-User` and the like are none: APIs written for other gateways read their identity there. */
const FORWARDING = /^(forwarded|via|x-forwarded|x-forwarded-(for|host|proto|port|prefix|scheme|ssl|server|by|uri|method)|x-real-ip|x-request-id|traceparent|tracestate)$/

function identityMistake(name: string, carriers: ReadonlySet<string>): string | undefined {
  const lower = name.toLowerCase()
  if (CONNECTION.has(lower)) return 'this field frames the message or belongs to the connection; it cannot carry an identity'
  if (CREDENTIALS.has(lower)) return 'this field carries credentials; the upstream would take the identity for one'
  if (carriers.has(lower)) return 'an authenticator reads its credential there; an identity needs a field of its own'
  return FORWARDING.test(lower) ? 'Postern writes this field itself; choose another' : undefined
}

/** Header names of identities and of `request_headers`. */
export function checkHeaders(config: Config): readonly Finding[] {
  const carriers = new Set(Object.values(config.authenticators ?? {}).flatMap((authenticator) => ('in' in authenticator ? (authenticator.in as readonly object[]) : []).flatMap((carrier) => ('header' in carrier && typeof carrier.header === 'string' ? [carrier.header.toLowerCase()] : []))))
  const identities: readonly (readonly [Readonly<Record<string, string>> | undefined, ConfigPath])[] = [
    [config.identity, ['identity']],
    ...(config.routes ?? []).map((route, index) => [route.identity, ['routes', index, 'identity']] as const),
  ]
  return [
    ...identities.flatMap(([headers, path]) => Object.keys(headers ?? {}).flatMap((name): Finding[] => {
      const message = identityMistake(name, carriers)
      return message === undefined ? [] : [{ path: [...path, name], message, at: 'key' }]
    })),
    ...identities.flatMap(([headers, path]) => twice(Object.keys(headers ?? {}), path)),
    ...(config.routes ?? []).flatMap((route, index) => Object.entries(route.request_headers?.set ?? {}).flatMap(([name, value]): Finding[] => {
      const path = ['routes', index, 'request_headers', 'set', name]
      if (CONNECTION.has(name.toLowerCase())) return [{ path, message: 'this field frames the message or belongs to the connection; Postern writes it itself', at: 'key' }]
      if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) return [{ path, message: 'expected a header name', at: 'key' }]
      // The value may be a secret, so it is not shown.
      return /^[\t\x20-\x7e\x80-\xff]*$/.test(value) ? [] : [{ path, message: 'expected a value without line breaks, of Latin-1 characters' }]
    })),
  ]
}

/** Names that differ only in case are one field. */
const twice = (names: readonly string[], path: ConfigPath): readonly Finding[] =>
  names.filter((name, index) => names.slice(0, index).some((other) => other.toLowerCase() === name.toLowerCase())).map((name) => ({ path: [...path, name], message: 'this header stands twice, in two spellings', at: 'key' }))
