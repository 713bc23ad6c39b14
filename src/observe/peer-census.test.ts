import { describe, expect, it } from 'vitest'
import type { DecidedEvent } from '../model/event.ts'
import { SILENT } from '../model/event.ts'
import type { RequestDescription } from '../model/request.ts'
import { withPeerCensus } from './peer-census.ts'

const ALLOWED = { outcome: 'allow' } as DecidedEvent['decision']
const REFUSED = { outcome: 'deny', stage: 'describe', denial: { kind: 'denial', code: 'forwarder_untrusted' }, limits: [], attempts: [] } as DecidedEvent['decision']

const request = (peer: string, headers: Record<string, string> = {}, trustedHops = 0): RequestDescription => ({ client: { ip: peer, peer, trustedHops, partition: peer }, headers: new Map(Object.entries(headers).map(([name, value]) => [name, [value]])) }) as unknown as RequestDescription

const event = (described: RequestDescription | undefined, { face = 'proxy', peer = '', decision = ALLOWED }: { face?: DecidedEvent['face']; peer?: string; decision?: DecidedEvent['decision'] } = {}): DecidedEvent => ({ face, ...(described && { request: described }), wire: { id: 'x', method: 'GET', path: '/', peer }, decision, durationMs: 1 })

describe('who speaks for clients', () => {
  it('is counted by what became of it, and a mere client is not', () => {
    const { observer, seen } = withPeerCensus(SILENT)
    observer.decided(event(request('10.0.0.1', { 'x-forwarded-for': '203.0.113.7' }, 1)))
    observer.decided(event(request('10.0.0.2', { forwarded: 'for=203.0.113.7' })))
    observer.decided(event(request('10.0.0.2', { 'x-real-ip': '203.0.113.7' })))
    observer.decided(event(request('203.0.113.9', { accept: '*/*' })))
    observer.decided(event(undefined, { face: 'forward_auth', peer: '::ffff:10.0.0.3', decision: REFUSED }))
    expect(seen()).toEqual({ others: 0, peers: [
      { peer: '10.0.0.1', believed: 1, ignored: 0, refused: 0 },
      { peer: '10.0.0.2', believed: 0, ignored: 2, refused: 0 },
      { peer: '10.0.0.3', believed: 0, ignored: 0, refused: 1 },
    ] })
  })

  it('is a short list, however many strangers come', () => {
    const { observer, seen } = withPeerCensus(SILENT)
    for (let index = 0; index < 1_000; index += 1) observer.decided(event(request(`198.51.${index >> 8}.${index & 255}`, { 'x-forwarded-for': '1.1.1.1' })))
    observer.decided(event(request('198.51.0.0', { 'x-forwarded-for': '1.1.1.1' })))
    expect([seen().peers.length, seen().others, seen().peers[0]?.ignored]).toEqual([64, 936, 2])
  })

  it('is passed on to who watches', () => {
    const events: DecidedEvent[] = []
    const { observer } = withPeerCensus({ ...SILENT, decided: (one) => void events.push(one) })
    observer.decided(event(undefined))
    expect(events).toHaveLength(1)
  })
})
