import { describe, expect, it } from 'vitest'
import type { Credential, Reading } from '../model/credential.ts'
import { keepReading, knownReading } from './token-readings.ts'

const credential = (value: string): Credential => ({ kind: 'credential', value, locations: [] })
const claims = (issuer: string): Reading => ({ kind: 'claims', issuer, evidence: { iss: issuer } })

describe('readings of tokens', () => {
  it('are kept for the credential, and for the same token when it comes again', () => {
    const asked = credential('token of a')
    const reading = keepReading(asked, claims('a'))
    expect(knownReading(asked)).toBe(reading)
    expect(knownReading(credential('token of a'))).toBe(reading)
  })

  it('never answer for another token', () => {
    keepReading(credential('token of a'), claims('a'))
    expect(knownReading(credential('token of A'))).toBeUndefined()
    expect(knownReading(credential('token of a '))).toBeUndefined()
  })

  it('that failed end with the credential', () => {
    const asked = credential('torn token')
    const fault = keepReading(asked, { kind: 'fault', reason: 'jwt_malformed', detail: 'header is not JSON' })
    expect(knownReading(asked)).toBe(fault)
    expect(knownReading(credential('torn token'))).toBeUndefined()
  })

  it('are forgotten when strangers send ever new tokens, long ones sooner', () => {
    const come = (count: number, length: number): void => {
      for (let n = 0; n < count; n += 1) keepReading(credential(`${n}${'x'.repeat(length)}`), claims('b'))
    }
    const first = keepReading(credential('first'), claims('a'))
    come(900, 8_192)
    expect(knownReading(credential('first'))).toBe(first)
    come(1_000, 8_192)
    expect(knownReading(credential('first'))).toBeUndefined()
    const second = keepReading(credential('second'), claims('a'))
    come(4_000, 8)
    expect(knownReading(credential('second'))).toBe(second)
    come(5_000, 9)
    expect(knownReading(credential('second'))).toBeUndefined()
  })
})
