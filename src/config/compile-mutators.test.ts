import { describe, expect, it } from 'vitest'
import { principal, request, use } from '../../test/support/described.ts'
import type { CredentialLocation } from '../model/credential.ts'
import type { Authenticator } from '../model/ports.ts'
import type { IdentifiedPrincipal, Principals } from '../model/principal.ts'
import { createCredentialMutator, createIdentityMutator } from './compile-mutators.ts'
import { compilePrincipalTemplate } from './principal-template.ts'

const header = (name: string): CredentialLocation => ({ kind: 'header', name })
const cookie = (name: string): CredentialLocation => ({ kind: 'cookie', name })
const authenticator = (id: string, carriers: readonly CredentialLocation[], forwardCredential: 'keep' | 'strip'): Authenticator => ({ ...use({ id }).authenticator, carriers, forwardCredential })
const by = (id: string, locations: readonly CredentialLocation[]): Principals => {
  const one: IdentifiedPrincipal = principal('alice', { authenticatorId: id, locations })
  return { primary: one, byAuthenticator: new Map([[id, one]]), requiredScopes: new Map() }
}

describe('the credential mutator', () => {
  const jwt = authenticator('jwt', [header('authorization')], 'keep')
  const key = authenticator('key', [header('authorization'), header('x-api-key')], 'strip')
  const session = authenticator('session', [cookie('authjs.session-token*')], 'keep')

  it.each([
    ['a kept token stays, an unused key goes', [jwt, key], 'jwt', [header('authorization')], ['x-api-key']],
    ['a stripped key goes from the carrier it shares', [jwt, key], 'key', [header('authorization')], ['authorization', 'x-api-key']],
    ['a companion header goes with its key', [key], 'key', [header('x-api-key'), header('x-user-id')], ['x-api-key', 'x-user-id', 'authorization']],
  ])('%s', (_title, authenticators, id, locations, expected) => {
    expect(createCredentialMutator(authenticators)(request(), by(id, locations)).remove).toEqual(expected)
  })

  it('keeps a session cookie that somebody else was proven beside', () => {
    expect(createCredentialMutator([session, key])(request({ headers: { cookie: 'authjs.session-token=x' } }), by('key', [header('x-api-key')])).removeCookies).toEqual([])
  })

  it('removes every chunk of a stripped cookie and nothing that only begins like it', () => {
    const strict = authenticator('session', [cookie('s*')], 'strip')
    const seen = request({ headers: { cookie: 's.0=a; s.1=b; s=c; sx=d; s.x=e; other=f' } })
    expect(createCredentialMutator([strict])(seen, by('key', [])).removeCookies).toEqual(['s.0', 's.1', 's'])
  })
})

describe('the identity mutator', () => {
  const template = (text: string): ReturnType<typeof compilePrincipalTemplate> => compilePrincipalTemplate(text, new Set())
  const nobody: Principals = { primary: { kind: 'anonymous', authenticatorId: 'none' }, byAuthenticator: new Map(), requiredScopes: new Map() }

  it('omits what is unknown, or sets it empty where that was chosen', () => {
    const headers = [['X-User-Id', template('sub')]] as const
    expect(createIdentityMutator(headers, false)(request(), nobody).set).toEqual([])
    expect(createIdentityMutator(headers, true)(request(), nobody).set).toEqual([['X-User-Id', '']])
  })

  it('never writes a value that would break the header list', () => {
    const set = createIdentityMutator([['X-User-Id', template('sub')]], false)(request(), by('jwt', [])).set
    expect(set).toEqual([['X-User-Id', 'alice']])
    const odd = principal('zoë\r\nX-Admin: 1')
    const [[, value] = ['', '']] = createIdentityMutator([['X-User-Id', template('sub')]], false)(request(), { primary: odd, byAuthenticator: new Map(), requiredScopes: new Map() }).set
    expect(value).toMatch(/^[\x20-\x7e]+$/)
    expect(value).not.toContain('zo\u00eb')
  })
})
