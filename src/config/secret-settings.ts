import type { ConfigPath } from './mistake.ts'

/** Settings whose value is a secret, by the last key of their path. Public keys, names and files are none. */
const SECRET_LEAVES: ReadonlySet<string> = new Set(['secret', 'secrets', 'legacy_secret', 'client_secret', 'private_key', 'value', 'sha256', 'keys_csv', 'pepper', 'previous_peppers', 'password', 'sentinel_password', 'token'])

/** Maps of header fields, which may be credentials. */
const SECRET_MAPS: ReadonlySet<string> = new Set(['set', 'headers'])

/** Whether what the schema has at a path is a secret, wherever its value comes from. */
export function isSecretSetting(path: ConfigPath): boolean {
  const keys = path.filter((segment) => typeof segment === 'string')
  const [last = '', around = ''] = [keys.at(-1), keys.at(-2)]
  // The same word is a kind of credential in `forward.credentials`.
  if (last === 'api_key') return keys.at(0) === 'authenticators'
  return SECRET_LEAVES.has(last) || SECRET_MAPS.has(around)
}
