import { describe, expect, it } from 'vitest'
import { request } from '../../test/support/described.ts'
import type { Carrier } from './carriers.ts'
import { tokenExtract } from './token-extract.ts'

const BEARER: Carrier = { kind: 'bearer', scheme: 'required' }
const COOKIE: Carrier = { kind: 'cookie', name: 'token' }
const TOKEN = `${Buffer.from('{}').toString('base64url')}.e30.${'A'.repeat(40)}`

describe('finding tokens', () => {
  it('is one function for all that look in the same places with the same cap', () => {
    expect(tokenExtract([{ ...BEARER }, COOKIE], 100)).toBe(tokenExtract([BEARER, { ...COOKIE }], 100))
  })

  it.each<[string, readonly Carrier[], number]>([
    ['another cap', [BEARER, COOKIE], 101],
    ['another order', [COOKIE, BEARER], 100],
    ['fewer places', [BEARER], 100],
    ['another cookie', [BEARER, { kind: 'cookie', name: 'Token' }], 100],
    ['a header of that name', [BEARER, { kind: 'header', name: 'token' }], 100],
    ['another scheme', [{ kind: 'bearer', scheme: 'optional' }, COOKIE], 100],
  ])('is another function with %s', (_title, carriers, cap) => {
    expect(tokenExtract(carriers, cap)).not.toBe(tokenExtract([BEARER, COOKIE], 100))
  })

  it('goes by the cap that was asked for: what is longer is mine by its start alone', () => {
    const asking = (value: string) => request({ headers: { authorization: `Bearer ${value}` } })
    const torn = `${TOKEN}.x`
    expect([20, 1_000].map((cap) => tokenExtract([BEARER], cap)(asking(torn))?.kind)).toEqual(['credential', 'foreign'])
    expect([20, 1_000].map((cap) => tokenExtract([BEARER], cap)(asking(TOKEN))?.kind)).toEqual(['credential', 'credential'])
  })
})
