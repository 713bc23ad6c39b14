import { describe, expect, it } from 'vitest'
import { request, use } from '../../test/support/described.ts'
import type { Credential } from '../model/credential.ts'
import { claimedAccount } from './claimed-account.ts'

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const token = (payload: unknown): string => `${part({ alg: 'none' })}.${part(payload)}.c2ln`

function accountOf(value: string, companions?: ReadonlyMap<string, string>): string | undefined {
  const credential: Credential = { kind: 'credential', value, locations: [], ...(companions && { companions }) }
  const sketch = use()
  return claimedAccount([{ ...sketch, authenticator: { ...sketch.authenticator, extract: () => credential } }], new Uint8Array(32))(request())
}

describe('the account that a refused credential names', () => {
  it('is one, however its name is spelled', () => {
    const alice = accountOf(token({ iss: 'https://a.example', sub: 'alice@example.com' }))
    expect(alice).toMatch(/^account:[A-Za-z0-9_-]{43}$/)
    expect(accountOf(token({ iss: 'https://a.example', sub: ' ALICE@example.com' }))).toBe(alice)
    expect(accountOf(token({ iss: 'https://b.example', sub: 'alice@example.com' }))).not.toBe(alice)
  })

  it('is the user that a service names, where one does', () => {
    const asserted = accountOf('key', new Map([['x-user-id', 'Alice']]))
    expect(asserted).toBe(accountOf('other key', new Map([['x-user-id', 'alice']])))
    expect(asserted).not.toBe(accountOf(token({ sub: 'alice' })))
  })

  it.each(['an opaque key', token({}), token({ sub: 7 }), 'eyJ.x.y', `eyJ${'a'.repeat(20_000)}`])('is none for %s', (value) => {
    expect(accountOf(value)).toBeUndefined()
  })
})
