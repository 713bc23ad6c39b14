// What a gateway that only observes still refuses, and what it never passes on.
import { describe, expect, it } from 'vitest'
import { bearer, bytesOf, startTarget } from './target.ts'

const { attack, token } = await startTarget({
  config: ({ standard }) => ({
    observe: true,
    denied_networks: ['127.0.0.0/8'],
    routes: [
      ...(standard['routes'] as object[]),
      { name: 'enforced', match: { path: '/enforced/**', methods: ['GET', 'OPTIONS'] }, auth: ['token'], mode: 'enforce', denied_networks: [] },
      { name: 'never', match: { path: '/never/**' }, deny: 'forbidden' },
      // Asked after every attack: a sign of life that is no request for the upstream.
      { name: 'alive', match: { path: '/alive' }, deny: 'route_not_found', mode: 'enforce' },
      { name: 'whoami', match: { path: '/whoami' }, auth: ['token'], respond: { status: 200, json: { id: '{{principal.id}}' } } },
    ],
  }),
})
const get = (target: string, ...lines: string[]): string => bytesOf(`GET ${target}`, [...lines, 'Connection: close'])

describe('a gateway that only observes', () => {
  it.each([
    ['an encoded slash', get('/guarded/..%2fadmin'), 400],
    ['a dot segment', get('/public/../admin'), 400],
    ['two lengths', bytesOf('POST /guarded/x', ['Content-Length: 1', 'Content-Length: 2']), 400],
    ['a length and chunks', bytesOf('POST /guarded/x', ['Content-Length: 1', 'Transfer-Encoding: chunked']), 400],
    ['two credentials in one field', get('/guarded/x', 'Authorization: Bearer a', 'Authorization: Bearer b'), 400],
    ['an alias of a credential header', get('/guarded/x', 'X_API_Key: a'), 400],
    ['its own answers', get('/whoami'), 403],
    ['a route that enforces', get('/enforced/x'), 401],
    ['a preflight that would open such a route', bytesOf('OPTIONS /enforced/x', ['Origin: https://app.test', 'Access-Control-Request-Method: PURGE', 'Connection: close']), 401],
  ])('refuses %s', async (_title, bytes, status) => {
    const { statuses, arrived } = await attack(bytes)
    expect(statuses).toEqual([status])
    expect(arrived).toEqual([])
  })

  it.each([
    ['no route has', '/nowhere'],
    ['no credential opens', '/guarded/x'],
    ['exists to be refused', '/never/x'],
  ])('passes on what %s, with no name that a client gave itself', async (_title, target) => {
    const { arrived } = await attack(get(target, 'X-User-Id: root', 'X_User_Email: root@example.com', 'X-Forwarded-User: root'))
    expect(arrived).toHaveLength(1)
    expect(arrived[0]!.headers.filter(([name]) => /user/i.test(name))).toEqual([])
  })

  it('still says who was proven, although the network is denied', async () => {
    const { arrived } = await attack(get('/guarded/x', bearer(await token({ sub: 'alice' })), 'X-User-Id: root'))
    expect(arrived[0]!.headers.filter(([name]) => name.toLowerCase() === 'x-user-id').map(([, value]) => value)).toEqual(['alice'])
  })
})
