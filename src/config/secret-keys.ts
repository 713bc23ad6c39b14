import type { ConfigPath } from './mistake.ts'

/** Keys whose values are secrets by nature, referred to or not. */
const SECRET_KEYS = new Set(['secret', 'secrets', 'legacy_secret', 'client_secret', 'private_key', 'value', 'sha256', 'keys_csv', 'pepper', 'previous_peppers', 'password', 'token', 'api_key', 'store', 'keys'])

/** Maps whose values may be anything: header fields, and a store, whose URLs carry passwords. */
const SECRET_MAPS = new Set(['set', 'headers', 'store'])

/** Whether what stands at a path must not be shown, whatever it is. */
export function isSecretPath(path: ConfigPath): boolean {
  const keys = path.filter((segment) => typeof segment === 'string')
  return SECRET_KEYS.has(keys.at(-1) ?? '') || SECRET_MAPS.has(keys.at(-2) ?? '')
}
