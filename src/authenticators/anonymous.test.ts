import { describe, expect, it } from 'vitest'
import { request } from '../../test/support/described.ts'
import { createAnonymousAuthenticator } from './anonymous.ts'

describe('the anonymous authenticator', () => {
  it('knows everybody as nobody, and reads nothing', () => {
    const authenticator = createAnonymousAuthenticator('guests')
    const credential = authenticator.extract(request({ headers: { authorization: 'Bearer x' } }))
    expect(credential).toEqual({ kind: 'credential', value: '', locations: [] })
    expect(authenticator.verify({ kind: 'credential', value: '', locations: [] }, 0)).toEqual({ kind: 'authenticated', principal: { kind: 'anonymous', authenticatorId: 'guests' } })
    expect(authenticator.carriers).toEqual([])
  })
})
