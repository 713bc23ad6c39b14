import { describe, expect, it } from 'vitest'
import { principal } from '../../test/support/described.ts'
import type { Principals } from '../model/principal.ts'
import { compilePrincipalJson, compilePrincipalTemplate, PrincipalTemplateError, textOf } from './principal-template.ts'

const names = new Set(['user', 'api_key'])
const alice = principal('alice', {
  authenticatorId: 'user',
  email: 'alice@example.com',
  tier: 'pro',
  scopes: new Set(['read', 'write']),
  roles: ['admin', 'owner'],
  credentialId: 'jti-1',
  attributes: { org: { id: 7 }, role: 'member', created_at: '2025-01-01T00:00:00Z' },
})
const who: Principals = { primary: alice, byAuthenticator: new Map([['user', alice]]), requiredScopes: new Map() }
const nobody: Principals = { primary: { kind: 'anonymous', authenticatorId: 'none' }, byAuthenticator: new Map(), requiredScopes: new Map() }

describe('compilePrincipalTemplate', () => {
  it.each([
    ['sub', 'alice'],
    ['role', 'member'],
    ['org.id', 7],
    ['{{principal.id}}', 'alice'],
    ['{{principal.method}}', 'user'],
    ['{{principal.email}}', 'alice@example.com'],
    ['{{principal.tier}}', 'pro'],
    ['{{principal.key_id}}', 'jti-1'],
    ['{{principal.scopes|space}}', 'read write'],
    ['{{principal.roles|comma}}', 'admin,owner'],
    ['{{principal.org|json}}', '{"id":7}'],
    ['{{user.id}}', 'alice'],
    ['{{user|present}}', true],
    ['{{api_key|present}}', false],
    ['{{api_key.id}}', undefined],
    ['{{principal.nothing}}', undefined],
    ['{{principal.constructor}}', undefined],
    ['{{principal.__proto__.x}}', undefined],
    ['user {{principal.id}} of {{principal.org.id}}', 'user alice of 7'],
    ['constant text', 'constant text'],
  ])('%s is %j', (text, expected) => {
    expect(compilePrincipalTemplate(text, names)(who)).toEqual(expected)
  })

  it('never lets one entry of a list read as two', () => {
    const odd = principal('eve', { authenticatorId: 'user', roles: ['a,admin', 'b c'] })
    const eve: Principals = { primary: odd, byAuthenticator: new Map([['user', odd]]), requiredScopes: new Map() }
    expect(compilePrincipalTemplate('{{principal.roles|comma}}', names)(eve)).toBe('a%2Cadmin,b c')
    expect(compilePrincipalTemplate('{{principal.roles|space}}', names)(eve)).toBe('a,admin b%20c')
    expect(textOf(compilePrincipalTemplate('roles', names)(eve))).toBe('a%2Cadmin,b c')
  })

  it('has no value for nobody', () => {
    expect(compilePrincipalTemplate('sub', names)(nobody)).toBeUndefined()
    expect(compilePrincipalTemplate('{{user|present}}', names)(nobody)).toBe(false)
  })

  it.each(['{{principle.id}}', '{{principal}}', '{{principal.id|upper}}', '{{principal..id}}', '{{principal.id', 'a }} b'])('refuses %s', (text) => {
    expect(() => compilePrincipalTemplate(text, names)).toThrow(PrincipalTemplateError)
  })
})

describe('compilePrincipalJson', () => {
  it('fills strings in, keeps types, and says null for what is unknown', () => {
    const json = { id: '{{principal.id}}', org: '{{principal.org.id}}', tags: ['{{principal.tier}}', 'x'], none: '{{principal.none}}', n: 1, plain: 'sub' }
    expect(compilePrincipalJson(json, names)(who)).toEqual({ id: 'alice', org: 7, tags: ['pro', 'x'], none: null, n: 1, plain: 'sub' })
  })
})
