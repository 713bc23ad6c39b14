import { beforeEach, describe, expect, it } from 'vitest'
import { principal } from '../../../test/support/described.ts'
import { createPageSessions, type PageSessions } from './sessions.ts'

const alice = principal('alice')

describe('log-ins of the page', () => {
  let now: number
  let sessions: PageSessions
  beforeEach(() => {
    now = 1_000
    sessions = createPageSessions(() => now)
  })

  it('begin with a link that works once and for ten minutes', () => {
    const code = sessions.newCode()
    expect([sessions.redeem(code), sessions.redeem(code), sessions.redeem('guess')]).toEqual([true, false, false])
    const late = sessions.newCode()
    now += 600_000
    expect(sessions.redeem(late)).toBe(false)
  })

  it('last eight hours, until they are ended, and each has a secret of its own', () => {
    const [one, two] = [sessions.begin(alice), sessions.begin(alice)]
    expect(sessions.find(one)?.csrf).not.toBe(sessions.find(two)?.csrf)
    sessions.end(one)
    expect([sessions.find(one), sessions.find(undefined), sessions.find('guess')]).toEqual([undefined, undefined, undefined])
    now += 8 * 3_600_000
    expect(sessions.find(two)).toBeUndefined()
  })

  it('last no longer than the proof that they began with', () => {
    const cookie = sessions.begin(principal('alice', { expiresAt: now + 60_000 }))
    expect(sessions.find(cookie)?.principal.subject).toBe('alice')
    now += 60_000
    expect(sessions.find(cookie)).toBeUndefined()
  })

  it('are so many and no more: the oldest makes room', () => {
    const first = sessions.begin(alice)
    for (let n = 0; n < 100; n += 1) sessions.begin(alice)
    expect(sessions.find(first)).toBeUndefined()
  })
})
