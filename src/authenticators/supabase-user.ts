import type { RejectionReason } from '../model/reason.ts'
import { objectOf, type Answered, type Authority } from './authority.ts'
import { valueAt } from './identity-claims.ts'
import type { Verdict } from './verdict-cache.ts'

/** Asks a project who an access token belongs to. */
export type AskUser = (token: string) => Promise<Verdict>

/**
 * The answers of Auth that are about the token. Statuses say nothing: a bad token is 403, and the gateway's 401 is about *our* key.
 * Everything that is not in here is "could not check".
 */
const REFUSALS: ReadonlyMap<string, RejectionReason> = new Map([
  ['no_authorization', 'remote_rejected'],
  ['bad_jwt', 'remote_rejected'],
  ['user_not_found', 'remote_rejected'],
  ['session_not_found', 'token_revoked'],
  ['session_expired', 'session_expired'],
  ['user_banned', 'account_suspended'],
])

/** The code, wherever this version of Auth puts it: a header, `error_code`, or `code` when that is not the status again. */
function errorCodeOf({ headers, json }: Answered): string | undefined {
  const code = headers.get('x-sb-error-code') ?? valueAt(json, '/error_code') ?? valueAt(json, '/code')
  return typeof code === 'string' && code !== '' ? code : undefined
}

function refusalOf(answer: Answered, code: string): Verdict | undefined {
  const reason = REFUSALS.get(code)
  if (reason === undefined) return undefined
  // Auth has one code for every bad token; its text tells the expired ones apart, whose holders can refresh.
  const message = valueAt(answer.json, '/msg') ?? valueAt(answer.json, '/message')
  const expired = code === 'bad_jwt' && typeof message === 'string' && /token is expired/.test(message)
  return { kind: 'rejected', reason: expired ? 'jwt_expired' : reason, evidence: { error_code: code } }
}

function verdictOn(answer: Answered, authority: Authority): Verdict {
  const { status, json } = answer
  if (status === 200) {
    // Some gateways wrap it.
    const user = objectOf(valueAt(json, '/user')) ?? objectOf(json)
    return typeof user?.['id'] === 'string' && user['id'] !== '' ? { kind: 'known', claims: user } : authority.unavailable('answered 200 without a user')
  }
  const code = errorCodeOf(answer)
  const refusal = code === undefined ? undefined : refusalOf(answer, code)
  if (refusal) return refusal
  if (status === 401 && code === undefined) return authority.misconfigured('answered 401 without an error code: the gateway refuses our apikey')
  return authority.unavailable(`answered ${status}${code === undefined ? '' : ` ${code.slice(0, 64)}`}`)
}

/**
 * `GET {url}/auth/v1/user` with our key for the gateway and the caller's token for Auth. The caller's User-Agent is never passed on:
 * a secret key together with a browser's is refused by the gateway.
 */
export function createAskUser({ authority, url, apiKey }: { readonly authority: Authority; readonly url: string; readonly apiKey: string }): AskUser {
  const endpoint = `${url.replace(/\/$/, '')}/auth/v1/user`
  return async (token) => {
    const answer = await authority.ask({ url: endpoint, headers: { apikey: apiKey, authorization: `Bearer ${token}` } })
    return answer.kind === 'answered' ? verdictOn(answer, authority) : answer
  }
}
