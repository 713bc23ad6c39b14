import type { Extraction } from '../model/credential.ts'
import { valueAt } from './identity-claims.ts'
import { chunkedCookieOf, type Cookies } from './session-cookies.ts'

/** The cookie in which the client libraries keep a session: `sb-` and the first label of the project's host. */
export const supabaseCookieName = (url: string): string => `sb-${new URL(url).hostname.split('.')[0] ?? ''}-auth-token`

const PREFIX = 'base64-'

/** Each chunk is percent-encoded for itself, and split so that this is possible; decoding the whole gives the same text. */
function sessionText(value: string): string {
  const text = decodeURIComponent(value)
  return text.startsWith(PREFIX) ? Buffer.from(text.slice(PREFIX.length), 'base64url').toString('utf8') : text
}

/**
 * The access token in a session cookie as `@supabase/ssr` writes it: chunked, `base64-` or plain JSON. The refresh token beside it is
 * not ours to use.
 */
export function supabaseCookie(cookies: Cookies, name: string): Extraction {
  const found = chunkedCookieOf(cookies, [name])
  if (found?.kind !== 'cookie') return found
  const [first] = found.locations
  const location = first ?? { kind: 'cookie', name }
  try {
    const token = valueAt(JSON.parse(sessionText(found.value)), '/access_token')
    return typeof token === 'string' && token !== '' ? { kind: 'credential', value: token, locations: found.locations } : { kind: 'malformed', location }
  } catch {
    return { kind: 'malformed', location }
  }
}
