import { describe, expect, test } from 'vitest'
import { PROBLEMS } from './problems.ts'

const entries = Object.entries(PROBLEMS)

test('the statuses are those of the vocabulary', () => {
  expect(Object.fromEntries(entries.map(([code, { status }]) => [code, status]))).toEqual({
    credential_missing: 401, credential_malformed: 401, credential_ambiguous: 400, credential_rejected: 401, credential_expired: 401, credential_revoked: 401, subject_missing: 401,
    scope_insufficient: 403, tier_insufficient: 403, account_suspended: 403, forbidden: 403, network_denied: 403, https_required: 403, forwarder_untrusted: 403,
    quota_exceeded: 429, dependency_unavailable: 503, dependency_misconfigured: 500, overloaded: 503, upstream_unreachable: 502, upstream_timeout: 504,
    route_not_found: 404, method_not_allowed: 405, body_rejected: 400, request_ambiguous: 400, request_too_large: 413, internal: 500,
  })
})

describe('texts are sentences that a client can act on', () => {
  test.each(entries)('%s', (_code, { title, detail }) => {
    expect(title).toMatch(/^[A-Z][^.\n]+$/)
    expect(detail).toMatch(/^[A-Z][^\n]+\.$/)
  })
})
