import { describe, expect, it } from 'vitest'
import { didYouMean, distance, suggestion } from './did-you-mean.ts'

describe('distance', () => {
  it.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['issuer', 'isuer', 1],
    ['apikey', 'api_keys', 2],
    ['kitten', 'sitting', 3],
  ])('from %j to %j is %d', (from, to, expected) => {
    expect(distance(from, to)).toBe(expected)
  })
})

describe('didYouMean', () => {
  const keys = ['issuer', 'issuers', 'audience', 'jwks_url', 'in']

  it.each([
    ['isuer', 'issuer'],
    ['Issuer', 'issuer'],
    ['jwks-url', 'jwks_url'],
    ['audiance', 'audience'],
    ['inn', 'in'],
  ])('takes %j for %j', (word, meant) => {
    expect(didYouMean(word, keys)).toBe(meant)
  })

  it.each(['colour', 'x', ''])('suggests nothing for %j rather than something far-fetched', (word) => {
    expect(didYouMean(word, ['issuer', 'audience'])).toBeUndefined()
    expect(suggestion(word, ['issuer'])).toBe('')
  })
})
