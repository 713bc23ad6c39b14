import { array, assert, constantFrom, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { wireSettings } from '../../test/support/wire-settings.ts'
import { createCidrSet } from '../base/cidr.ts'
import { isDenial } from '../model/denial.ts'
import { describeForwarded, type ForwardedContext } from './forwarded-request.ts'
import type { IncomingLines, Repeated } from './incoming.ts'
import { ambiguous } from './refusal.ts'

const trusting = (...networks: string[]) => ({ ...wireSettings(), trustedProxies: createCidrSet(networks), clientIpHeaders: ['x-forwarded-for'] as const })
const WIRES = [trusting('10.0.0.0/8'), { ...trusting('10.0.0.0/8'), aliasHeaders: 'reject' as const }]
const TRUSTS = [...WIRES, trusting('10.0.0.1', '203.0.113.0/24')]
const OWN = [new Set<string>(), new Set(['x-original-url'])]
const WITHHELD = [new Set<string>(), new Set(['x-secret'])]
const LINES = [
  ['Host', 'a', 'X-Forwarded-For', '198.51.100.1, 203.0.113.5', 'X-Secret', 's', 'X_Custom', '1'],
  ['Host', 'a', 'X-Forwarded-For', '198.51.100.2', 'X-Original-Url', '/x', 'Cookie', 'c=1'],
  ['Host', 'a', 'X-Forwarded-For', '198.51.100.2', 'X_User_Id', 'root'],
]

/** Asks about what stands in the first line, as some forwarders do. */
const askedOf: ForwardedContext['askedOf'] = ({ url = '' }, headers) => (url === '/none' ? ambiguous('x', 'nothing was asked') : { method: 'GET', rawTarget: url, host: headers.get('host')?.[0] ?? '', scheme: 'https' })

const context = record({ wire: constantFrom(...WIRES), trust: constantFrom(...TRUSTS), own: constantFrom(...OWN), withheld: constantFrom(...WITHHELD) })
const step = record({ context, lines: constantFrom(...LINES.keys()), url: constantFrom('/a', '/b?c=d', '/none', '/..') })

describe('what a forwarder asks about, again and again on one connection', () => {
  it('is what each of its messages says by itself', () => {
    let [described, refused] = [0, 0]
    assert(property(array(step, { minLength: 2, maxLength: 20 }), (steps) => {
      const kept: Repeated['kept'] = { wire: undefined, memory: new Map() }
      const messages = LINES.map((rawHeaders) => ({ rawHeaders, repeated: { facts: undefined, forwarded: undefined, kept } }))
      for (const { context: { wire, trust, own, withheld }, lines, url } of steps) {
        const message: IncomingLines = { method: 'GET', url, httpVersion: '1.1', ...messages[lines]! }
        const asked: ForwardedContext = { wire, trust, own, withheld, peer: '10.0.0.1', now: 0, maxHeaders: 100, askedOf }
        const [again, anew] = [describeForwarded(message, asked), describeForwarded({ ...message, repeated: undefined } as unknown as IncomingLines, asked)]
        if (isDenial(again) || isDenial(anew)) {
          expect(again).toEqual(anew)
          refused += 1
        } else {
          expect({ ...again, id: '', traceId: '', memory: undefined }).toEqual({ ...anew, id: '', traceId: '', memory: undefined })
          described += 1
        }
      }
    }), { numRuns: 300 })
    expect([described > 100, refused > 100]).toEqual([true, true])
  })
})
