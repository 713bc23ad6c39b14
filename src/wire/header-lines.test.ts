import { array, assert, constantFrom, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { request } from '../../test/support/described.ts'
import { wireSettings } from '../../test/support/wire-settings.ts'
import type { Memory } from '../base/memory.ts'
import { NO_MUTATION } from '../model/mutation.ts'
import { fieldLines } from './field-lines.ts'
import { headerLines, upstreamLines } from './header-lines.ts'
import { upstreamHeaders, type UpstreamHeadersInput } from './upstream-headers.ts'

const WIRE = wireSettings()
const CLIENTS = ['192.0.2.1', '2001:db8::1'].map((ip) => ({ ip, peer: ip, trustedHops: 0, partition: ip }))
const RAW = [['Accept', 'a', 'X-User-Id', 'claimed'], ['Accept', 'b', 'x_user_id', 'claimed', 'X-User-Id', 'claimed']]
const MUTATIONS = [NO_MUTATION, { ...NO_MUTATION, set: [['X-User-Id', 'alice']] }, { ...NO_MUTATION, set: [['X-User-Id', 'bob']] }, { ...NO_MUTATION, set: [['X-Request-Id', 'theirs']] }, { ...NO_MUTATION, set: [['traceparent', 'theirs']] }] as const
const ROUTES = [{ set: [], remove: [] }, { set: [['apikey', 'k']], remove: ['accept'] }, { set: [], remove: ['x-request-id'] }] as const
const FRAMINGS = [{ kind: 'none' }, { kind: 'length', length: 0 }, { kind: 'length', length: 5 }, { kind: 'chunked' }] as const

interface Step { readonly raw: string[]; readonly mutation: (typeof MUTATIONS)[number]; readonly route: (typeof ROUTES)[number]; readonly framing: (typeof FRAMINGS)[number]; readonly client: (typeof CLIENTS)[number]; readonly host: string; readonly scheme: 'http' | 'https'; readonly upstreamHost: string; readonly upgrade: boolean; readonly id: string; readonly traceId: string | undefined }

/** Of few, so that the same comes again often. */
const steps = (traced: boolean) => array(record({
  raw: constantFrom(...RAW), mutation: constantFrom(...MUTATIONS), route: constantFrom(...ROUTES), framing: constantFrom(...FRAMINGS), client: constantFrom(...CLIENTS), host: constantFrom('api.test', 'api.test:81'),
  scheme: constantFrom('http', 'https'), upstreamHost: constantFrom('inner', 'other'), upgrade: constantFrom(false, false, false, true), id: constantFrom('one', 'two', 'three'), traceId: constantFrom(...(traced ? ['a', 'b'].map((digit) => digit.repeat(32)) : [undefined])),
}), { minLength: 2, maxLength: 30 })

const inputOf = ({ raw, mutation, route, framing, client, host, scheme, upstreamHost, upgrade, id, traceId }: Step, memory?: Memory): UpstreamHeadersInput => ({
  request: { ...request({ host, scheme }), client, id, traceId, memory }, rawHeaders: raw, wire: WIRE, mutation, routeHeaders: route, upstreamHost, framing, upgrade,
})

/** The span of a trace that begins here is made anew each time. */
const withoutSpans = (text: string): string => text.replace(/(00-[ab]{32}-)[0-9a-f]{16}/g, '$1…')

describe('the lines for an upstream, of requests that come over one connection', () => {
  it.each([true, false])('are those that each would have by itself (traced: %s)', (traced) => {
    let same = 0
    assert(property(steps(traced), (all: readonly Step[]) => {
      const memory: Memory = new Map()
      for (const step of all) {
        const [told, before]: [string[], unknown] = [[], memory.get(step.route)]
        const lines = upstreamLines(inputOf(step, memory), (name) => told.push(name))
        const { flat, stripped } = upstreamHeaders(inputOf(step))
        expect(withoutSpans(lines.list().join('\n'))).toBe(withoutSpans(flat.join('\n')))
        expect(withoutSpans(lines.text())).toBe(withoutSpans(fieldLines(flat)))
        expect(told).toEqual(stripped)
        if (before !== undefined && memory.get(step.route) === before) same += 1
      }
    }), { numRuns: 300 })
    expect(same).toBeGreaterThan(300)
  })

  it('come from memory for a client that says the same again, with an id and a trace of their own', () => {
    const memory: Memory = new Map()
    const step: Step = { raw: RAW[0]!, mutation: MUTATIONS[1], route: ROUTES[0], framing: FRAMINGS[0], client: CLIENTS[0]!, host: 'a', scheme: 'http', upstreamHost: 'inner', upgrade: false, id: 'one', traceId: 'a'.repeat(32) }
    const texts = ['one', 'two', 'three'].map((id, n) => upstreamLines(inputOf({ ...step, id, traceId: 'abc'.charAt(n).repeat(32) }, memory), () => undefined).text())
    for (const [n, text] of texts.entries()) {
      expect(text).toContain(`X-Request-Id: ${['one', 'two', 'three'][n]}\r\ntraceparent: 00-${'abc'.charAt(n).repeat(32)}-`)
      expect(text.replace(/X-Request-Id: .*\r\ntraceparent: .*\r\n/, '')).toBe(texts[0]!.replace(/X-Request-Id: .*\r\ntraceparent: .*\r\n/, ''))
    }
  })

  it('may not hold what would break out of its place, from memory either', () => {
    const memory: Memory = new Map()
    const step = { raw: RAW[0]!, mutation: MUTATIONS[1], route: ROUTES[0], framing: FRAMINGS[0], client: CLIENTS[0]!, host: 'a', scheme: 'http', upstreamHost: 'inner', upgrade: false, traceId: undefined } as const
    upstreamLines(inputOf({ ...step, id: 'one' }, memory), () => undefined).text()
    expect(() => upstreamLines(inputOf({ ...step, id: 'two\r\nX-User-Id: root' }, memory), () => undefined).text()).toThrow(TypeError)
    expect(() => headerLines(['X-A', 'b\nc']).text()).toThrow(TypeError)
    const traced: Memory = new Map()
    upstreamLines(inputOf({ ...step, id: 'one', traceId: 'a'.repeat(32) }, traced), () => undefined).text()
    for (const traceId of [`${'a'.repeat(30)}\r\n`, 'A'.repeat(32), 'a']) expect(() => upstreamLines(inputOf({ ...step, id: 'two', traceId }, traced), () => undefined).text()).toThrow(TypeError)
  })
})
