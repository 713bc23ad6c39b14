import { describe, expect, it } from 'vitest'
import { request } from '../../test/support/described.ts'
import { createCidrSet } from '../base/cidr.ts'
import type { Verification } from '../model/ports.ts'
import { createApiKeyAuthenticator, type ApiKeySettings, type KeyCheck } from './api-key.ts'
import { anchored, type AssertedSubject } from './asserted-subject.ts'
import { createStaticKeyCheck, digestOf, keysByDigest, keysOfCsv, type StaticKey } from './static-keys.ts'

const KEY = 'key-number-1'
const key = (more: Partial<StaticKey> = {}): StaticKey => ({ id: 'k1', subject: 'service', digest: digestOf(KEY), scopes: [], roles: [], assertSubject: false, ...more })
const SUBJECT: AssertedSubject = { header: 'x-user-id', required: true, maxLength: 256, pattern: anchored('[\\x21-\\x7e]+') }

function created({ keys = [key()], subject, ...more }: { keys?: readonly StaticKey[] } & Partial<ApiKeySettings> = {}) {
  const check = createStaticKeyCheck({ authenticatorId: 'keys', sources: [() => keysByDigest(keys)], subject })
  return createApiKeyAuthenticator({ id: 'keys', realm: 'postern', forwardCredential: 'strip', carriers: [{ kind: 'header', name: 'x-api-key' }, { kind: 'bearer', scheme: 'required' }], prefixes: [], minLength: 8, checks: [check], subject, ...more })
}

type Answer = Verification | { readonly kind: string; readonly reason?: string }

/** Extraction and verification, as the pipe does them. */
function answered(headers: Record<string, string | string[]>, authenticator = created(), now = 1_000): Answer {
  const extraction = authenticator.extract(request({ headers }))
  if (!extraction) return { kind: 'missing' }
  if (extraction.kind !== 'credential') return { kind: extraction.kind }
  const verification = authenticator.verify(extraction, now)
  if (verification instanceof Promise) throw new Error('expected an answer at once')
  return verification
}

const outcome = (answer: Answer): string => ('reason' in answer && answer.reason) || answer.kind

describe('a static key', () => {
  it('is somebody, at once, with everything that is written about it', () => {
    const networks = createCidrSet(['10.0.0.0/8'])
    const authenticator = created({ keys: [key({ email: 's@example.com', tier: 'pro', scopes: ['a'], roles: ['admin'], allowedNetworks: networks, expiresAt: 2_000 })] })
    expect(answered({ 'x-api-key': KEY }, authenticator)).toEqual({
      kind: 'authenticated',
      principal: {
        kind: 'identified', subject: 'service', authenticatorId: 'keys', credentialId: 'k1', expiresAt: 2_000, scopes: new Set(['a']), roles: ['admin'], tier: 'pro', email: 's@example.com',
        carrier: { kind: 'header', name: 'x-api-key' }, locations: [{ kind: 'header', name: 'x-api-key' }], allowedNetworks: networks,
        attributes: { id: 'service', key_id: 'k1', owner: 'service', email: 's@example.com', tier: 'pro', scopes: ['a'], roles: ['admin'] },
      },
    })
  })

  it.each([
    ['the key in its header', { 'x-api-key': KEY }, 'authenticated'],
    ['the key as a bearer token', { authorization: `Bearer ${KEY}` }, 'authenticated'],
    ['no key', {}, 'missing'],
    ['an empty header', { 'x-api-key': '' }, 'missing'],
    ['another key', { 'x-api-key': 'key-number-2' }, 'key_unknown'],
    ['the key in another case', { 'x-api-key': KEY.toUpperCase() }, 'key_unknown'],
    ['the start of the key', { 'x-api-key': KEY.slice(0, -1) }, 'key_unknown'],
    ['the key and more', { 'x-api-key': `${KEY}1` }, 'key_unknown'],
    ['the digest of the key', { 'x-api-key': digestOf(KEY) }, 'key_unknown'],
    ['a short value', { 'x-api-key': 'short' }, 'key_malformed'],
    ['two keys', { 'x-api-key': [KEY, KEY] }, 'ambiguous'],
    ['two keys that a neighbour joined', { 'x-api-key': `${KEY}, ${KEY}` }, 'malformed'],
    ['another scheme', { authorization: 'Basic dXNlcjpwYXNz' }, 'foreign'],
    ['an object\'s own names', { 'x-api-key': '__proto__' }, 'key_unknown'],
  ] as const)('with %s: %s', (_title, headers, expected) => {
    expect(outcome(answered(headers as Record<string, string | string[]>))).toBe(expected)
  })

  it('ends at its expiry', () => {
    const authenticator = created({ keys: [key({ expiresAt: 2_000 })] })
    expect([1_999, 2_000].map((now) => outcome(answered({ 'x-api-key': KEY }, authenticator, now)))).toEqual(['authenticated', 'key_expired'])
  })

  it('with another prefix is left to others', () => {
    const authenticator = created({ prefixes: ['key-', 'sk_'] })
    expect(outcome(answered({ authorization: `Bearer ${KEY}` }, authenticator))).toBe('authenticated')
    expect(outcome(answered({ authorization: 'Bearer opaque-token' }, authenticator))).toBe('foreign')
  })

  it('is asked for by the scheme that can carry it', () => {
    expect(created().challenge.scheme).toBe('Bearer')
    expect(created({ carriers: [{ kind: 'header', name: 'x-api-key' }] }).challenge).toEqual({ scheme: 'ApiKey', parameters: [['realm', 'postern'], ['header', 'x-api-key']] })
  })
})

describe('keys in a comma-separated text', () => {
  it.each([
    ['client-key-1, client-key-2', [['client', 'client-key-1'], ['client', 'client-key-2']]],
    ['mobile=client-key-1,', [['mobile', 'client-key-1']]],
    ['YmFzZTY0a2V5MQ==', [['client', 'YmFzZTY0a2V5MQ==']]],
    ['ci=YmFzZTY0a2V5MQ==', [['ci', 'YmFzZTY0a2V5MQ==']]],
    [' , ,', []],
    ['', []],
  ])('%j', (csv, expected) => {
    const found = keysOfCsv(csv, 'client').map(({ id, value }) => [id === `client-${digestOf(value).slice(0, 8)}` ? 'client' : id, value])
    expect(found).toEqual(expected)
  })

  it('keep their id when the list is edited', () => {
    expect(keysOfCsv('a-key,b-key', 'client')[1]?.id).toBe(keysOfCsv('b-key', 'client')[0]?.id)
  })
})

describe('a trusted service that names its user', () => {
  const trusted = (more: Partial<AssertedSubject> = {}) => created({ keys: [key({ assertSubject: true })], subject: { ...SUBJECT, ...more } })

  it('acts for that user, and the record says that it was asserted', () => {
    expect(answered({ 'x-api-key': KEY, 'x-user-id': 'test-user-123' }, trusted())).toMatchObject({
      principal: { subject: 'test-user-123', asserted: true, credentialId: 'k1', attributes: { id: 'test-user-123', owner: 'service', key_id: 'k1' }, locations: [{ kind: 'header', name: 'x-api-key' }, { kind: 'header', name: 'x-user-id' }] },
    })
  })

  it.each([
    ['nobody', {}, 'subject_missing'],
    ['an empty name', { 'x-user-id': ' ' }, 'subject_missing'],
    ['two users', { 'x-user-id': ['alice', 'bob'] }, 'ambiguous'],
    ['two words', { 'x-user-id': 'alice bob' }, 'subject_malformed'],
    ['letters beyond the pattern', { 'x-user-id': 'al\u00efce' }, 'subject_malformed'],
    ['256 characters', { 'x-user-id': 'x'.repeat(256) }, 'authenticated'],
    ['257 characters', { 'x-user-id': 'x'.repeat(257) }, 'subject_malformed'],
    ['null', { 'x-user-id': 'null' }, 'subject_malformed'],
  ] as const)('with %s: %s', (_title, headers, expected) => {
    expect(outcome(answered({ 'x-api-key': KEY, ...headers } as Record<string, string | string[]>, trusted()))).toBe(expected)
  })

  it('may stand for itself when the name is optional', () => {
    const answer = answered({ 'x-api-key': KEY }, trusted({ required: false }))
    expect(answer).toMatchObject({ principal: { subject: 'service' } })
    expect(answer).not.toHaveProperty('principal.asserted')
  })

  it('matches the whole name, however the pattern is written', () => {
    for (const pattern of ['\\d+', '^\\d+$', '\\d+|x']) {
      const authenticator = trusted({ pattern: anchored(pattern) })
      expect(outcome(answered({ 'x-api-key': KEY, 'x-user-id': '123' }, authenticator))).toBe('authenticated')
      expect(outcome(answered({ 'x-api-key': KEY, 'x-user-id': '123;x' }, authenticator))).toBe('subject_malformed')
    }
  })

  it('is believed for its own key only', () => {
    const authenticator = created({ keys: [key()], subject: SUBJECT })
    expect(answered({ 'x-api-key': KEY, 'x-user-id': 'victim' }, authenticator)).toMatchObject({ principal: { subject: 'service' } })
    expect(answered({ 'x-api-key': KEY, 'x-user-id': 'victim' }, authenticator)).not.toHaveProperty('principal.asserted')
    expect(outcome(answered({ 'x-api-key': 'wrong-key', 'x-user-id': 'victim' }, trusted()))).toBe('key_unknown')
    expect(outcome(answered({ 'x-user-id': 'victim' }, trusted()))).toBe('missing')
  })

  it('tells the faces that the header is theirs to strip', () => {
    expect(trusted().carriers).toContainEqual({ kind: 'header', name: 'x-user-id' })
  })
})

describe('several places of keys', () => {
  const says = (verification: Verification, calls: string[], name: string): KeyCheck => () => {
    calls.push(name)
    return verification
  }
  const unknown: Verification = { kind: 'rejected', reason: 'key_unknown' }
  const known: Verification = { kind: 'authenticated', principal: { kind: 'anonymous', authenticatorId: 'x' } }
  const down: Verification = { kind: 'unavailable', dependency: 'store', cause: 'gone' }
  const expired: Verification = { kind: 'rejected', reason: 'key_expired' }

  it.each([
    ['the first that knows the key speaks', [known, down], 'authenticated', 1],
    ['an unknown key is looked for in the next', [unknown, known], 'authenticated', 2],
    ['an expired key is not looked for elsewhere', [expired, known], 'key_expired', 1],
    ['a place that cannot be asked is not skipped', [unknown, down, known], 'unavailable', 2],
    ['a key that nobody knows is unknown', [unknown, unknown], 'key_unknown', 2],
    ['no place at all knows no key', [], 'key_unknown', 0],
  ] as const)('%s', (_title, verifications, expected, asked) => {
    const calls: string[] = []
    const authenticator = created({ checks: verifications.map((verification, index) => says(verification, calls, String(index))) })
    expect(outcome(answered({ 'x-api-key': KEY }, authenticator))).toBe(expected)
    expect(calls).toHaveLength(asked)
  })

  it('are waited for when they need time', async () => {
    const authenticator = created({ checks: [() => unknown, async () => known] })
    expect(await authenticator.verify({ kind: 'credential', value: KEY, locations: [] }, 0)).toBe(known)
  })
})
