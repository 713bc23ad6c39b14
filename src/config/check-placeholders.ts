import type { Finding } from './finding.ts'
import type { ConfigPath } from './mistake.ts'
import type { AuthenticatorConfig, Config } from './schema.ts'

interface Named { readonly path: ConfigPath; readonly text: string }

/** Texts of an authenticator that name a host. */
const HOST_KEYS: ReadonlySet<string> = new Set(['url', 'issuer', 'jwks_url', 'domain', 'tenant', 'team', 'project'])

/** Every text below a key that names a host, whatever the kind of authenticator. */
function hostTexts(value: unknown, path: ConfigPath, wanted: boolean): readonly Named[] {
  if (typeof value === 'string') return wanted ? [{ path, text: value }] : []
  if (Array.isArray(value)) return value.flatMap((each, index) => hostTexts(each, value.length === 1 && wanted ? path : [...path, index], wanted))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, each]) => hostTexts(each, [...path, key], HOST_KEYS.has(key)))
}

const PLACEHOLDER = /\byour[-_ ]|<[^>]+>|\bchange[-_]?me\b/i

const hostOf = (text: string): string => (URL.canParse(text) ? new URL(text).hostname : text)

/** Names of RFC 2606, section 3, which nobody can own. */
const isExample = (host: string): boolean => /(^|\.)example\.(com|net|org)$/i.test(host)

function placeholder({ path, text }: Named, issuer: boolean): Finding[] {
  const host = hostOf(text)
  if (PLACEHOLDER.test(host)) return [{ path, message: 'this is still a placeholder: put the real name in' }]
  return issuer && isExample(host) ? [{ path, message: `${host} is a name for examples, and nobody answers there: put the real one in` }] : []
}

const ofAuthenticator = ([name, authenticator]: readonly [string, AuthenticatorConfig]): readonly Finding[] => hostTexts(authenticator, ['authenticators', name], false).flatMap((named) => placeholder(named, true))

/** Hosts that were copied from an example and never filled in: valid, and no credential would ever be. */
export const placeholderWarnings = (config: Config): readonly Finding[] => [
  ...Object.entries(config.upstreams ?? {}).flatMap(([name, { url }]) => placeholder({ path: ['upstreams', name, 'url'], text: url }, false)),
  ...Object.entries(config.authenticators ?? {}).flatMap(ofAuthenticator),
]
