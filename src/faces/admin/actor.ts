import type { Principals } from '../../model/principal.ts'

/** The name of the authenticator that is the admin token of the config. */
export const TOKEN_AUTHENTICATOR = 'admin:token'

/** Who does something, as the audit log names them: `admin` for the holder of the admin token, `AUTHENTICATOR:SUBJECT` for everybody else. */
export function actorOf({ primary }: Pick<Principals, 'primary'>): string {
  // The pipe lets nobody in who is not somebody.
  if (primary.kind !== 'identified') return 'nobody'
  const { authenticatorId, subject, attributes } = primary
  if (typeof attributes['actor'] === 'string' && authenticatorId === PAGE_AUTHENTICATOR) return attributes['actor']
  return authenticatorId === TOKEN_AUTHENTICATOR ? subject : `${authenticatorId}:${subject}`
}

/** The name of the authenticator that is the session of the page. */
export const PAGE_AUTHENTICATOR = 'admin:page'
