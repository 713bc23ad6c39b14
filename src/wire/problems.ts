import type { ProblemCode } from '../model/denial.ts'

/** How one code looks on the wire when no template says otherwise. */
export interface Problem {
  /** 400 to 599. */
  readonly status: number
  /** Short and the same for every occurrence (RFC 9457 section 3.1.3). */
  readonly title: string
  /** What the client can do about it. Names no key, no user and no network. */
  readonly detail: string
}

/**
 * Every refusal there is, in the words of the client. `credential_rejected` has one text for every reason there can be: whoever
 * guesses must not learn from the answer whether a key exists, or which check a forged token got past.
 */
export const PROBLEMS = {
  credential_missing: { status: 401, title: 'A credential is required', detail: 'This request needs a credential, and none was sent.' },
  credential_malformed: { status: 401, title: 'The credential is malformed', detail: 'What was sent is not a credential that this API understands. Check its form and the header it is sent in.' },
  credential_ambiguous: { status: 400, title: 'The credential is ambiguous', detail: 'The same kind of credential was sent more than once. Send exactly one.' },
  credential_rejected: { status: 401, title: 'The credential was rejected', detail: 'The credential is not valid for this API.' },
  credential_expired: { status: 401, title: 'The credential has expired', detail: 'The credential has expired. Renew it and try again.' },
  credential_revoked: { status: 401, title: 'The credential was revoked', detail: 'The credential was ended before its time. A new one is needed.' },
  subject_missing: { status: 401, title: 'A subject is required', detail: 'This credential acts for a user, and the request does not name one.' },
  scope_insufficient: { status: 403, title: 'More scope is required', detail: 'The credential is valid but lacks a scope that this request needs.' },
  tier_insufficient: { status: 403, title: 'A higher tier is required', detail: 'This request is not part of the current tier.' },
  account_suspended: { status: 403, title: 'The account is suspended', detail: 'The account behind this credential is suspended.' },
  forbidden: { status: 403, title: 'Forbidden', detail: 'The credential is valid but may not do this.' },
  network_denied: { status: 403, title: 'The network is not allowed', detail: 'Requests from this network address are not accepted here.' },
  https_required: { status: 403, title: 'HTTPS is required', detail: 'Send this request over HTTPS. A credential that went over plain HTTP should be replaced.' },
  forwarder_untrusted: { status: 403, title: 'The forwarder is not trusted', detail: 'Only a trusted proxy may ask for decisions here.' },
  quota_exceeded: { status: 429, title: 'Too many requests', detail: 'A rate limit is used up. Try again after the time given in Retry-After.' },
  dependency_unavailable: { status: 503, title: 'The request cannot be checked now', detail: 'Something needed to check this request does not answer. Nothing is wrong with the request; try again later.' },
  dependency_misconfigured: { status: 500, title: 'The request cannot be checked', detail: 'Something needed to check this request is not set up correctly. Tell the operator of this API.' },
  overloaded: { status: 503, title: 'Too busy', detail: 'Too many requests are being handled at once. Try again later.' },
  upstream_unreachable: { status: 502, title: 'The upstream cannot be reached', detail: 'The API behind this address does not accept connections, or gave an answer that cannot be passed on.' },
  upstream_timeout: { status: 504, title: 'The upstream took too long', detail: 'The API behind this address did not answer in time.' },
  route_not_found: { status: 404, title: 'Not found', detail: 'There is nothing at this address.' },
  method_not_allowed: { status: 405, title: 'Method not allowed', detail: 'This address does not take this method. The Allow field lists those it takes.' },
  body_rejected: { status: 400, title: 'The body was rejected', detail: 'The request body does not have the form that is expected here.' },
  request_ambiguous: { status: 400, title: 'The request is ambiguous', detail: 'The request can be read in more than one way, so it was not read at all.' },
  request_too_large: { status: 413, title: 'The request is too large', detail: 'A part of the request is larger than is accepted here.' },
  internal: { status: 500, title: 'Internal fault', detail: 'The request could not be handled because of a fault on this side.' },
} as const satisfies Record<ProblemCode, Problem>
