import { array, assert, constantFrom, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { request } from '../../../test/support/described.ts'
import { wireSettings } from '../../../test/support/wire-settings.ts'
import type { Memory } from '../../base/memory.ts'
import type { Allow } from '../../model/decision.ts'
import type { Gateway } from '../../model/gateway.ts'
import { passageOf } from './passage.ts'

const GATEWAYS = [[], ['authorization', 'cookie']].map((returned) => ({ wire: wireSettings(), forwardAuth: { returned, secretDigests: [] } }) as unknown as Gateway)
const HEADERS = [{ cookie: 's=1; t=2', authorization: 'Bearer x' }, { cookie: 's=1' }, {}].map((headers) => request({ headers }).headers)
const MUTATIONS = [[['X-User-Id', 'alice']], [['X-User-Id', 'bob'], ['X-Other', '1']], []].flatMap((set) => [{ set, remove: ['authorization'], removeCookies: ['s'] }, { set, remove: [], removeCookies: [] }])
const ROUTES = [{ set: [], remove: [] }, { set: [['X-Route', 'r']], remove: ['x-gone'] }].map((requestHeaders) => ({ requestHeaders }))

const POLICY = { id: 'm', name: 'm', quota: 60, windowMs: 60_000, algorithm: 'fixed', onUnavailable: 'local', shadow: false, reported: true } as const

describe('the passages that one connection is told', () => {
  it('are those that each request would have by itself', () => {
    const step = record({ gateway: constantFrom(...GATEWAYS), headers: constantFrom(...HEADERS), mutation: constantFrom(...MUTATIONS), route: constantFrom(...ROUTES), remaining: constantFrom(1, 2), now: constantFrom(0, 30_000) })
    let same = 0
    assert(property(array(step, { minLength: 2, maxLength: 20 }), (steps) => {
      const memory: Memory = new Map()
      for (const { gateway, headers, mutation, route, remaining, now } of steps.flatMap((each) => [each, each])) {
        const decision = { outcome: 'allow', mutation, route, limits: [{ policy: POLICY, remaining, resetsAt: 60_000, exceeded: false, retryAt: 60_000 }], attempts: [] } as unknown as Allow
        const before = [...memory.values()]
        expect(passageOf({ ...request(), headers, memory }, decision, gateway, now)).toEqual(passageOf({ ...request(), headers }, decision, gateway, now))
        if (before.length > 0 && before[0] === [...memory.values()][0]) same += 1
      }
    }), { numRuns: 300 })
    expect(same).toBeGreaterThan(100)
  })
})
