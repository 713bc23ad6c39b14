import { expect, it } from 'vitest'
import { use } from '../../test/support/described.ts'
import { denialOf } from './ask-denial.ts'
import type { Refused } from './ask.ts'

const CHALLENGES = [{ scheme: 'Bearer', parameters: [] }] as const
const location = { kind: 'header', name: 'authorization' } as const
const down = { kind: 'unavailable', dependency: 'idp', cause: 'refused', retryAfterMs: 5_000 } as const

it.each<[string, Refused['because'], object]>([
  ['nothing was found', undefined, { code: 'credential_missing', challenges: CHALLENGES }],
  ['a carrier was repeated', { kind: 'ambiguous', location }, { code: 'credential_ambiguous', location: 'authorization', challenges: CHALLENGES }],
  ['nobody recognised it', { kind: 'foreign', location }, { code: 'credential_malformed', reason: 'credential_unrecognised', challenges: CHALLENGES }],
  ['it was none', { kind: 'malformed', location }, { code: 'credential_malformed', reason: 'bearer_malformed', challenges: CHALLENGES }],
  ['it was refused', { kind: 'rejected', reason: 'jwt_expired', evidence: { expiredSecondsAgo: 6 } }, { code: 'credential_expired', reason: 'jwt_expired', evidence: { expiredSecondsAgo: 6 }, challenges: CHALLENGES }],
  ['it was somebody else\'s', { kind: 'not_applicable', reason: 'jwt_issuer_mismatch' }, { code: 'credential_rejected', reason: 'jwt_issuer_mismatch', challenges: CHALLENGES }],
  ['it could not be checked', down, { code: 'dependency_unavailable', dependency: 'idp', cause: 'refused', retryAfterMs: 5_000 }],
  ['it could not be checked for our own fault', { ...down, misconfigured: true }, { code: 'dependency_misconfigured', dependency: 'idp', cause: 'refused' }],
])('is told when %s', (_title, because, told) => {
  expect(denialOf({ kind: 'next', weight: 'missing', use: use(), because }, CHALLENGES)).toStrictEqual({ kind: 'denial', authenticatorId: 'jwt', ...told })
})

it('is told as a refusal when it could not be checked and that was chosen', () => {
  const refused: Refused = { kind: 'final', weight: 'unavailable', use: use({}, { onUnavailable: 'deny' }), because: down }
  expect(denialOf(refused, CHALLENGES)).toStrictEqual({ kind: 'denial', code: 'credential_rejected', reason: 'remote_rejected', authenticatorId: 'jwt', challenges: CHALLENGES })
})
