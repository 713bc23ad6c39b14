// What a route that only observes may open: itself, and nothing beside it.
import { describe, expect, it } from 'vitest'
import { bearer, bytesOf, HANDSHAKE, startTarget } from './target.ts'

const ORIGIN = 'https://app.test'
const { attack, token } = await startTarget({
  config: ({ standard }) => ({
    routes: [
      ...(standard['routes'] as object[]),
      { name: 'watched delete', match: { path: '/both/**', methods: ['DELETE'] }, auth: ['token'], mode: 'observe', denied_networks: ['127.0.0.0/8'] },
      { name: 'guarded rest', match: { path: '/both/**' }, auth: ['token'] },
      { name: 'watched delete with cors', match: { path: '/cors/**', methods: ['DELETE'] }, auth: ['token'], mode: 'observe', denied_networks: ['127.0.0.0/8'], cors: { origins: [ORIGIN] } },
      { name: 'guarded rest with cors', match: { path: '/cors/**' }, auth: ['token'] },
      { name: 'watched answer', match: { path: '/whoami' }, auth: ['token'], mode: 'observe', respond: { status: 200, json: { id: '{{principal.id}}' } } },
      { name: 'watched', match: { path: '/watched/**' }, auth: ['token', 'key'], mode: 'observe' },
    ],
  }),
})
const preflight = (path: string): string => bytesOf(`OPTIONS ${path}`, [`Origin: ${ORIGIN}`, 'Access-Control-Request-Method: DELETE', 'Connection: close'])

describe('a route that only observes', () => {
  it('opens no other route of its path by a preflight that names its method', async () => {
    const { statuses, arrived } = await attack(preflight('/both/x'))
    expect(statuses).toEqual([401])
    expect(arrived).toEqual([])
  })

  it('has its preflights answered here like any other', async () => {
    const { statuses, arrived } = await attack(preflight('/cors/x'))
    expect(statuses).toEqual([204])
    expect(arrived).toEqual([])
  })

  it('sends nobody to the upstream with what Postern itself would answer', async () => {
    const { statuses, arrived } = await attack(bytesOf('GET /whoami', ['Connection: close']))
    expect(statuses).toEqual([401])
    expect(arrived).toEqual([])
    expect((await attack(bytesOf('GET /whoami', [bearer(await token({ sub: 'me' })), 'Connection: close']))).answers[0]?.body).toBe('{"id":"me"}')
  })

  it('passes nobody on under a name, with a claim, or with what was not proven', async () => {
    for (const lines of [[], ['X-User-Id: root'], ['Authorization: Bearer bad', 'X_User_Id: root'], ['X-API-Key: bad', 'Connection: X-User-Id2']]) {
      const { arrived } = await attack(bytesOf('GET /watched/x', [...lines, 'Connection: close']))
      expect(arrived).toHaveLength(1)
      expect(arrived[0]!.headers.filter(([name]) => /user|authorization|key/i.test(name))).toEqual([])
    }
    expect((await attack(bytesOf('GET /both/x', HANDSHAKE))).statuses).toEqual([401])
  })
})
