import { describe, expect, it } from 'vitest'
import { request } from '../../test/support/described.ts'
import type { Memory } from '../base/memory.ts'
import type { Credential } from '../model/credential.ts'
import type { Verification } from '../model/ports.ts'
import type { IdentifiedPrincipal } from '../model/principal.ts'
import { createApiKeyAuthenticator } from './api-key.ts'
import { identify } from './identify.ts'
import { createStaticKeyCheck, digestOf, keysByDigest, type StaticKey } from './static-keys.ts'

const credential = (value = 'a-key'): Credential => ({ kind: 'credential', value, locations: [{ kind: 'header', name: 'x-api-key' }] })
const principalIn = (verification: Verification) => (verification.kind === 'authenticated' ? verification.principal : undefined)

describe('the principal of a credential that is shown again', () => {
  const key = (over: Partial<StaticKey> = {}): StaticKey => ({ id: 'k', subject: 'svc', digest: digestOf('a-key'), scopes: [], roles: [], assertSubject: false, ...over })

  it('is the same one as long as its key is, and another one as soon as the key has changed', () => {
    let known = key()
    const check = createStaticKeyCheck({ authenticatorId: 'keys', sources: [() => keysByDigest([known])] })
    const shown = credential()
    const first = principalIn(check(shown, 0))
    expect(first).toMatchObject({ subject: 'svc' })
    expect(principalIn(check(shown, 1))).toBe(first)
    known = key({ scopes: ['admin'], subject: 'other' })
    expect(principalIn(check(shown, 2))).toMatchObject({ subject: 'other', scopes: new Set(['admin']) })
  })

  it('is none when its key has ended meanwhile', () => {
    const check = createStaticKeyCheck({ authenticatorId: 'keys', sources: [() => keysByDigest([key({ expiresAt: 10 })])] })
    const shown = credential()
    expect(check(shown, 9)).toMatchObject({ kind: 'authenticated' })
    expect(check(shown, 10)).toMatchObject({ kind: 'rejected', reason: 'key_expired' })
  })

  it('is not that of another authenticator, which may know the key under another name', () => {
    const [one, other] = ['one', 'other'].map((authenticatorId) => createStaticKeyCheck({ authenticatorId, sources: [() => keysByDigest([known])] }))
    const known = key()
    const shown = credential()
    for (const [check, id] of [[one, 'one'], [other, 'other'], [one, 'one']] as const) expect(principalIn(check!(shown, 0))).toMatchObject({ authenticatorId: id })
  })
})

describe('the principal of a document', () => {
  const pointers = { subject: ['/sub'], email: [], tier: [], scopes: [], roles: [] }
  const about = (document: Readonly<Record<string, unknown>>, shown: Credential, expiresAt?: number, credentialId?: string) => principalIn(identify({ authenticatorId: 'a', credential: shown, document, pointers, attributes: document, expiresAt, credentialId }))

  it('is made anew of another document, another end and another id', () => {
    const shown = credential()
    const document = { sub: 'alice' }
    const first = about(document, shown, 10, 'id')
    expect(about(document, shown, 10, 'id')).toBe(first)
    expect(about(document, shown, 11, 'id')).toMatchObject({ expiresAt: 11 })
    expect(about(document, shown, 11, 'other')).toMatchObject({ credentialId: 'other' })
    expect(about({ sub: 'alice' }, shown, 10, 'id')).not.toBe(first)
    expect(about({ sub: 'bob' }, shown, 11, 'other')).toMatchObject({ subject: 'bob' })
  })
})

describe('the people for whom a trusted service asks over one connection', () => {
  it('are each themselves, and the service is itself where it names nobody', () => {
    const subject = { header: 'x-user-id', required: false, maxLength: 50, pattern: /^[a-z]+$/ }
    const key: StaticKey = { id: 'k', subject: 'svc', digest: digestOf('a-key-of-a-service'), scopes: [], roles: [], assertSubject: true }
    const { extract, verify } = createApiKeyAuthenticator({
      id: 'keys', realm: 'api', forwardCredential: 'strip', carriers: [{ kind: 'header', name: 'x-api-key' }], prefixes: [], minLength: 8, subject,
      checks: [createStaticKeyCheck({ authenticatorId: 'keys', sources: [() => keysByDigest([key])], subject })],
    })
    const memory: Memory = new Map()
    const asked = (person?: string): unknown => {
      const found = extract({ ...request({ headers: { 'x-api-key': 'a-key-of-a-service', ...(person === undefined ? {} : { 'x-user-id': person }) } }), memory })
      const { subject: name, asserted, locations } = principalIn(verify(found as Credential, 0) as Verification) as IdentifiedPrincipal
      return [name, asserted, locations.length]
    }
    expect([undefined, 'alice', 'bob', 'alice', undefined].map(asked)).toEqual([['svc', undefined, 1], ['alice', true, 2], ['bob', true, 2], ['alice', true, 2], ['svc', undefined, 1]])
  })
})
