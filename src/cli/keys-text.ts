import type { Config } from '../config/schema.ts'
import type { KeyRecord } from '../keys/key-record.ts'
import type { KeyView } from '../keys/key-view.ts'
import { rfc3339 } from '../keys/scalars.ts'
import { safeTerminalText } from '../observe/safe-text.ts'

/** Columns under their titles, as wide as they must be. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_title, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n')
}

const dash = (text: string | null): string => safeTerminalText(text ?? '–')

/** Keys, one a line. Names and owners are foreign text: nothing in them reaches the terminal as a command. */
export function listText(keys: readonly KeyView[]): string {
  const titles = ['ID', 'KEY', 'STATE', 'OWNER', 'TIER', 'EXPIRES', 'LAST USED', 'NAME']
  return table([titles, ...keys.map((key) => [key.id, key.display, key.state, dash(key.owner), dash(key.tier), dash(key.expires_at), dash(key.last_used_at), dash(key.name)])])
}

/** Everything about one key, a member a line. */
export const showText = (key: KeyView): string =>
  table(Object.entries(key).map(([name, value]) => [name, Array.isArray(value) ? safeTerminalText(value.join(' ')) : dash(value === null ? null : String(value))]))

/** Where a first request with the key can be sent, as the config says. */
function tryText(key: string, config: Config, authenticatorId: string): string {
  const authenticator = config.authenticators?.[authenticatorId]
  const carrier = authenticator && 'in' in authenticator ? authenticator.in[0] : undefined
  const header = carrier === undefined || 'bearer' in carrier ? `Authorization: Bearer ${key}` : 'header' in carrier ? `${carrier.header}: ${key}` : `Cookie: ${carrier.cookie}=${key}`
  const listen = 'address' in config.listen ? config.listen.address : config.listen
  const host = listen.host === '0.0.0.0' || listen.host === '' ? '127.0.0.1' : listen.host.includes(':') ? `[${listen.host}]` : listen.host
  return `curl -H "${header}" ${config.public_url ?? `http://${host}:${listen.port}`}/`
}

/** Words beside a key that was just made. The example says KEY, so that the key itself is on the screen once. */
export function issuedText(record: KeyRecord, config: Config, authenticatorId: string): string {
  const expires = record.expiresAt === undefined ? 'never expires' : `expires ${rfc3339(record.expiresAt)}`
  return [
    '↑ shown once; store it now',
    `id ${record.id}   owner ${record.owner}   ${expires}   stored as HMAC-SHA-256`,
    `Try: ${tryText('KEY', config, authenticatorId)}`,
  ].join('\n')
}
