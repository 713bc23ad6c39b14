/**
 * Finer than a code, for the operator only: log, audit, metric label and `explain`. Each maps to the public code that the client
 * learns, so that nobody can tell `revoked` from `unknown` from outside unless the code itself is meant to say it.
 */
export const REASONS = {
  credential_unrecognised: { code: 'credential_malformed', hint: 'No authenticator of this route recognises what was sent. Check the scheme, the prefix and the header name.' },
  bearer_malformed: { code: 'credential_malformed', hint: 'Write the header as `Authorization: Bearer <token>`, with one space and one token.' },
  token_too_long: { code: 'credential_malformed', hint: 'The token is longer than the limit; move large claims out of it or raise `max_token_length`.' },
  jwt_malformed: { code: 'credential_malformed', hint: 'Three canonical base64url parts and a JSON header are expected.' },
  jwt_alg_not_allowed: { code: 'credential_rejected', hint: 'The token is signed with an algorithm that this authenticator does not list.' },
  jwt_crit_unsupported: { code: 'credential_rejected', hint: 'The token demands an extension (`crit`) that is not understood.' },
  jwt_typ_not_allowed: { code: 'credential_rejected', hint: 'This kind of token (ID, refresh, logout …) is not an access token.' },
  jwt_unknown_kid: { code: 'credential_rejected', hint: 'The key that signed the token is not in the key set, also after a refetch.' },
  jwt_key_ambiguous: { code: 'credential_rejected', hint: 'The token names no key and several would fit.' },
  jwt_signature_invalid: { code: 'credential_rejected', hint: 'The signature does not fit: another issuer, another project, or a changed token.' },
  jwt_issuer_mismatch: { code: 'credential_rejected', hint: 'Write `issuer` exactly as in the token, trailing slash included.' },
  jwt_audience_mismatch: { code: 'credential_rejected', hint: 'The token was issued for somebody else. Ask the issuer for a token for this API.' },
  jwt_claim_missing: { code: 'credential_rejected', hint: 'A claim that this authenticator requires is absent.' },
  jwt_claim_mismatch: { code: 'credential_rejected', hint: 'A claim that this authenticator requires has another value.' },
  jwt_claim_invalid: { code: 'credential_rejected', hint: 'A claim has the wrong type or an impossible value.' },
  jwt_duplicate_member: { code: 'credential_rejected', hint: 'A JSON member stands twice in the token; verifiers would disagree about it.' },
  jwt_expired: { code: 'credential_expired', hint: 'The token has expired: refresh it. If it has not, compare this host\'s clock with the issuer\'s.' },
  jwt_not_yet_valid: { code: 'credential_rejected', hint: 'The token is not valid yet. Compare this host\'s clock with the issuer\'s.' },
  jwt_too_old: { code: 'credential_expired', hint: 'The token was issued longer ago than `max_age` allows.' },
  jwt_anon_key: { code: 'credential_rejected', hint: 'This is the project\'s anon key, not a login. Send session.access_token; keep the anon key in the apikey header.' },
  jwt_anonymous_user: { code: 'credential_rejected', hint: 'Anonymous sign-ins are not accepted here; set `anonymous_users: true` to allow them.' },
  jwt_oauth_client: { code: 'credential_rejected', hint: 'The token was issued to a third-party OAuth client; set `oauth_clients: true` to allow them.' },
  jwt_role_not_allowed: { code: 'credential_rejected', hint: 'The token\'s role is not one that this authenticator accepts.' },
  token_sender_constrained: { code: 'credential_rejected', hint: 'The token is bound to a key (`cnf`) and no proof of possession is supported.' },
  token_revoked: { code: 'credential_revoked', hint: 'The session or token was ended before it expired.' },
  token_inactive: { code: 'credential_rejected', hint: 'The issuer says that the token is not active: expired, revoked or never issued.' },
  token_expired: { code: 'credential_expired', hint: 'The token has expired: refresh it.' },
  subject_invalid: { code: 'credential_rejected', hint: 'The subject is missing, not a string, too long, or has control characters.' },
  subject_missing: { code: 'subject_missing', hint: 'The service key must name the user it acts for in the configured header.' },
  subject_malformed: { code: 'credential_malformed', hint: 'The asserted subject does not match the configured pattern.' },
  account_suspended: { code: 'account_suspended', hint: 'The account is suspended or banned.' },
  key_malformed: { code: 'credential_rejected', hint: 'The key has the wrong shape or its checksum does not fit: a typing error.' },
  key_unknown: { code: 'credential_rejected', hint: 'No key of this authenticator is this one. `looked_in` says where they are kept.' },
  key_revoked: { code: 'credential_revoked', hint: 'The key was revoked.' },
  key_expired: { code: 'credential_expired', hint: 'The key has expired; rotate it.' },
  session_invalid: { code: 'credential_rejected', hint: 'The session cookie cannot be decrypted with any configured secret, or is not a session.' },
  session_expired: { code: 'credential_expired', hint: 'The session has expired: log in again.' },
  remote_rejected: { code: 'credential_rejected', hint: 'The identity provider refused the credential.' },
} as const satisfies Record<string, { code: RejectionCode; hint: string }>

export type RejectionReason = keyof typeof REASONS

/** The codes that a rejected credential can surface as. */
export type RejectionCode =
  | 'credential_malformed'
  | 'credential_rejected'
  | 'credential_expired'
  | 'credential_revoked'
  | 'subject_missing'
  | 'account_suspended'
