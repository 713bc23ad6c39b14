import { describe, expect, it, vi } from 'vitest'
import { principal, request, route, use } from '../../test/support/described.ts'
import type { Extraction } from '../model/credential.ts'
import { isDenial } from '../model/denial.ts'
import type { Authenticator, Verification } from '../model/ports.ts'
import type { AuthenticatorUse } from '../model/route.ts'
import { authenticate } from './authenticate.ts'

const expired: Verification = { kind: 'rejected', reason: 'jwt_expired' }
const unknownKey: Verification = { kind: 'rejected', reason: 'key_unknown' }
const foreignIssuer: Verification = { kind: 'not_applicable', reason: 'jwt_issuer_mismatch', evidence: { seen: 'x' } }
const down: Verification = { kind: 'unavailable', dependency: 'idp', cause: 'refused' }
const misconfigured: Verification = { ...down, misconfigured: true }
const anonymous = use({ id: 'anonymous', kind: 'anonymous', says: { kind: 'authenticated', principal: { kind: 'anonymous', authenticatorId: 'anonymous' } } })

const outcome = async (mode: 'any' | 'all', uses: readonly AuthenticatorUse[]): Promise<string> => {
  const { result } = await authenticate(route({ authentication: { mode, uses } }), request(), 0)
  if (isDenial(result)) return result.code
  return result.primary.kind === 'identified' ? `as ${result.primary.subject}` : 'as nobody'
}

const key = (sketch: Parameters<typeof use>[0], more?: Parameters<typeof use>[1]): AuthenticatorUse => use({ id: 'key', kind: 'api_key', says: { kind: 'authenticated', principal: principal('svc', { authenticatorId: 'key' }) }, ...sketch }, more)

describe('authenticate, any of several', () => {
  it.each<[string, readonly AuthenticatorUse[], string]>([
    ['the first that proves somebody answers', [use(), key({})], 'as alice'],
    ['a missing credential leads to the next', [use({ finds: 'missing' }), key({})], 'as svc'],
    ['nothing sent is a missing credential', [use({ finds: 'missing' }), key({ finds: 'missing' })], 'credential_missing'],
    ['a missing credential may end the line', [use({ finds: 'missing' }, { onMissing: 'reject' }), key({})], 'credential_missing'],
    ['a rejected credential is never tried as something else', [use({ says: expired }), key({})], 'credential_expired'],
    ['unless its authenticator says so', [use({ says: expired }, { onInvalid: 'next' }), key({})], 'as svc'],
    ['the last rejection speaks', [use({ says: expired }, { onInvalid: 'next' }), key({ says: unknownKey }, { onInvalid: 'next' })], 'credential_rejected'],
    ['a rejection speaks over a missing one after it', [use({ says: expired }, { onInvalid: 'next' }), key({ finds: 'missing' })], 'credential_expired'],
    ['a credential nobody recognises is malformed', [use({ finds: 'foreign' }), key({ finds: 'foreign' })], 'credential_malformed'],
    ['a credential nobody recognises is never anonymous', [use({ finds: 'foreign' }), anonymous], 'credential_malformed'],
    ['a rejected credential is never anonymous, whatever on_invalid says', [use({ says: expired }, { onInvalid: 'next' }), anonymous], 'credential_expired'],
    ['an outage is never anonymous, whatever on_unavailable says', [use({ says: down }, { onUnavailable: 'next' }), anonymous], 'dependency_unavailable'],
    ['nothing sent is anonymous where that is listed', [use({ finds: 'missing' }), anonymous], 'as nobody'],
    ['a token of another issuer goes to the next', [use({ says: foreignIssuer }), use({ id: 'b' })], 'as alice'],
    ['and is refused when nobody takes it', [use({ says: foreignIssuer }), key({ finds: 'missing' })], 'credential_rejected'],
    ['and is refused as such when somebody else did not even recognise it', [key({ finds: 'foreign' }), use({ says: foreignIssuer })], 'credential_rejected'],
    ['one carrier repeated is ambiguous, whoever comes next', [use({ finds: 'ambiguous' }), key({})], 'credential_ambiguous'],
    ['an outage is 503', [use({ says: down }), key({})], 'dependency_unavailable'],
    ['unless its authenticator says next', [use({ says: down }, { onUnavailable: 'next' }), key({})], 'as svc'],
    ['and is still 503 when nobody else is proven', [use({ says: down }, { onUnavailable: 'next' }), key({ finds: 'missing' })], 'dependency_unavailable'],
    ['and is still 503 when the next knows no such key', [key({ id: 'store', says: down }, { onUnavailable: 'next' }), key({ says: unknownKey })], 'dependency_unavailable'],
    ['nor do all that come after it', [key({ id: 'store', says: down }, { onUnavailable: 'next' }), key({ says: unknownKey }, { onInvalid: 'next' }), key({ id: 'last', says: unknownKey }, { onInvalid: 'next' })], 'dependency_unavailable'],
    ['a key that the next does know to be bad is refused', [key({ id: 'store', says: down }, { onUnavailable: 'next' }), key({ says: { kind: 'rejected', reason: 'key_revoked' } })], 'credential_revoked'],
    ['or is a refusal where that was chosen', [use({ says: down }, { onUnavailable: 'deny' })], 'credential_rejected'],
    ['our own bad credentials are a misconfiguration', [use({ says: misconfigured })], 'dependency_misconfigured'],
  ])('%s', async (_title, uses, expected) => {
    expect(await outcome('any', uses)).toBe(expected)
  })

  it('says what every authenticator found, for the audit', async () => {
    const { attempts } = await authenticate(route({ authentication: { mode: 'any', uses: [use({ says: expired }, { onInvalid: 'next' }), key({})] } }), request(), 0)
    expect(attempts.map(({ authenticatorId, outcome: found, reason }) => [authenticatorId, found, reason])).toEqual([
      ['jwt', 'rejected', 'jwt_expired'],
      ['key', 'authenticated', undefined],
    ])
  })
})

describe('authenticate, when several look in the same places', () => {
  const looking = () => {
    const extract = vi.fn((): Extraction => ({ kind: 'credential', value: 'secret', locations: [] }))
    const seen: unknown[] = []
    const asked = (id: string, says: Verification, look: Authenticator['extract'] = extract): AuthenticatorUse => {
      const made = use({ id, says }, { onInvalid: 'next' })
      return { ...made, authenticator: { ...made.authenticator, extract: look, verify: (found) => (seen.push(found), says) } }
    }
    return { extract, seen, asked }
  }
  const last: Verification = { kind: 'authenticated', principal: principal('alice', { authenticatorId: 'c' }) }

  it.each(['any', 'all'] as const)('(%s) a request is looked through once for them, and again for the next request', async (mode) => {
    const { extract, seen, asked } = looking()
    const uses = ['a', 'b', 'c'].map((id) => asked(id, mode === 'any' && id !== 'c' ? foreignIssuer : last))
    const described = request()
    for (const times of [1, 2]) {
      await authenticate(route({ authentication: { mode, uses } }), described, 0)
      expect(extract).toHaveBeenCalledTimes(times)
    }
    expect([seen.length, new Set(seen).size]).toEqual([6, 2])
  })

  it('every one still answers for itself, in its order, and the audit has them all', async () => {
    const { asked } = looking()
    const uses = [asked('a', foreignIssuer), asked('b', expired), asked('c', last)]
    const { attempts } = await authenticate(route({ authentication: { mode: 'any', uses } }), request(), 0)
    expect(attempts).toEqual([
      { authenticatorId: 'a', kind: 'jwt', outcome: 'not_applicable', reason: 'jwt_issuer_mismatch', evidence: { seen: 'x' } },
      { authenticatorId: 'b', kind: 'jwt', outcome: 'rejected', reason: 'jwt_expired' },
      { authenticatorId: 'c', kind: 'jwt', outcome: 'authenticated' },
    ])
  })

  it('nothing is one answer as well, and who looks elsewhere looks for itself', async () => {
    const { asked } = looking()
    const nothing = vi.fn((): Extraction => undefined)
    const elsewhere = vi.fn((): Extraction => ({ kind: 'foreign', location: { kind: 'header', name: 'x-api-key' } }))
    const uses = [asked('a', last, nothing), asked('b', last, elsewhere), asked('c', last, nothing)]
    const { attempts } = await authenticate(route({ authentication: { mode: 'any', uses } }), request(), 0)
    expect(attempts.map(({ outcome: found }) => found)).toEqual(['missing', 'foreign', 'missing'])
    expect([nothing, elsewhere].map(({ mock }) => mock.calls.length)).toEqual([1, 1])
  })
})

describe('authenticate, all of several', () => {
  it.each<[string, readonly AuthenticatorUse[], string]>([
    ['the first speaks for the request', [key({}), use({}, { optional: true })], 'as svc'],
    ['an optional one may be missing', [key({}), use({ finds: 'missing' }, { optional: true })], 'as svc'],
    ['an optional one may not be bad', [key({}), use({ says: expired }, { optional: true })], 'credential_expired'],
    ['an optional one may not be bad even with on_invalid: next', [key({}), use({ says: expired }, { optional: true, onInvalid: 'next' })], 'credential_expired'],
    ['an optional one may not be unrecognised', [key({}), use({ finds: 'foreign' }, { optional: true })], 'credential_malformed'],
    ['a required one may not be missing', [key({ finds: 'missing' }), use()], 'credential_missing'],
    ['nobody at all is nobody', [use({ finds: 'missing' }, { optional: true })], 'credential_missing'],
  ])('%s', async (_title, uses, expected) => {
    expect(await outcome('all', uses)).toBe(expected)
  })

  it('keeps every principal by the name of its authenticator, and the named one speaks', async () => {
    const { result } = await authenticate(route({ authentication: { mode: 'all', uses: [key({}), use()], primary: 'jwt' } }), request(), 0)
    expect(isDenial(result) ? result.code : [...result.byAuthenticator.keys(), (result.primary as { subject: string }).subject]).toEqual(['key', 'jwt', 'alice'])
  })
})

describe('authenticate on a public route', () => {
  it('asks nobody', async () => {
    const { attempts, result } = await authenticate(route(), request(), 0)
    expect([attempts, isDenial(result) ? result.code : result.primary.kind]).toEqual([[], 'anonymous'])
  })
})
