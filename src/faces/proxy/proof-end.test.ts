import { describe, expect, it } from 'vitest'
import type { Allow } from '../../model/decision.ts'
import { firstExpiry, isEndless } from './proof-end.ts'

const proof = (expiresAt?: number): object => ({ kind: 'identified', ...(expiresAt !== undefined && { expiresAt }) })
const decisionOf = (proofs: readonly object[], observe = false): Allow =>
  ({ route: { observe }, principals: { primary: proofs[0], byAuthenticator: new Map(proofs.map((each, index) => [String(index), each])) } }) as unknown as Allow

describe('the end of the proofs of a request', () => {
  it.each([
    ['one proof ends', [proof(5)], 5],
    ['none ends', [proof(), proof()], undefined],
    ['the second ends first', [proof(7), proof(5), proof()], 5],
    ['the first never ends', [proof(), proof(5)], 5],
    ['nobody is proven', [{ kind: 'anonymous' }], undefined],
  ])('is known when %s', (_what, proofs, end) => {
    expect(firstExpiry(decisionOf(proofs))).toBe(end)
  })

  it('ends nothing on a route that only observes', () => {
    expect(firstExpiry(decisionOf([proof(5)], true))).toBeUndefined()
  })
})

describe('an answer without an end of its own', () => {
  it.each(['text/event-stream', 'Text/Event-Stream; charset=utf-8', ' application/x-ndjson', 'multipart/x-mixed-replace;boundary=x'])('is one of type %s', (type) => {
    expect(isEndless(['Date', 'x', 'Content-Type', type])).toBe(true)
    expect(isEndless([Buffer.from('content-TYPE'), Buffer.from(type)])).toBe(true)
  })

  it.each(['application/json', 'text/event-streams', 'text/plain; x=text/event-stream', ''])('is none of type %s', (type) => {
    expect(isEndless(['Content-Type', type])).toBe(false)
    expect(isEndless([])).toBe(false)
  })
})
