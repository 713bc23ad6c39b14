import type { Context } from 'hono'
import type { RequestDescription } from '../../model/request.ts'
import type { AdminEnv } from './keys-routes.ts'
import { cookieName, pageCookie } from './page-authenticator.ts'
import { SESSION_MS } from './sessions.ts'

/** The request as it was judged, which says over which scheme it came. */
function requestOf({ var: { judged } }: Context<AdminEnv>): RequestDescription {
  if (!judged.request) throw new Error('a request that was not described was let in')
  return judged.request
}

/** The value of the session's cookie; the pipe has seen that there is one. */
export function cookieOf(context: Context<AdminEnv>): string | undefined {
  const found = pageCookie(requestOf(context))
  return found?.kind === 'credential' ? found.value : undefined
}

function setCookie(context: Context<AdminEnv>, value: string, maxAge: number): readonly [string, string] {
  const { scheme } = requestOf(context).target
  return ['Set-Cookie', `${cookieName(scheme)}=${value}; Path=/; HttpOnly; SameSite=Strict${scheme === 'https' ? '; Secure' : ''}; Max-Age=${maxAge}`]
}

export const freshCookie = (context: Context<AdminEnv>, value: string): readonly [string, string] => setCookie(context, value, SESSION_MS / 1_000)
export const clearedCookie = (context: Context<AdminEnv>): readonly [string, string] => setCookie(context, '', 0)
