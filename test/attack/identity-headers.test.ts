// Identity headers that the client claims (T1, T2, T4). Repeats CVE-2026-30851 (Caddy), CVE-2026-44087 and CVE-2026-31908 (APISIX),
// CVE-2026-45045 (Fiber), CVE-2025-64484 (oauth2-proxy), CVE-2026-54763, CVE-2026-88011, CVE-2026-39858 and CVE-2026-33433 (Traefik),
// CVE-2026-52845 (Caddy), GHSA-9hf4-67fc-4vf4 (Puma), and the skipped hooks of http-proxy (node-http-proxy #1219, #1328).
import { describe, expect, it } from 'vitest'
import { bearer, bytesOf, HANDSHAKE, KEY, startTarget } from './target.ts'

const { attack, token, attacked } = await startTarget()

const OWNED = ['X-User-Id', 'X-User-Email'] as const
const SPELLINGS: readonly (readonly [title: string, spell: (name: string) => string])[] = [
  ['as configured', (name) => name],
  ['in lower case', (name) => name.toLowerCase()],
  ['in mixed case', (name) => name.replace('X-User', 'x-USER')],
  ['with underscores', (name) => name.replaceAll('-', '_')],
  ['with dots', (name) => name.replaceAll('-', '.')],
  ['with a dash and an underscore', (name) => name.replace('User-', 'User_')],
  ['with other signs', (name) => name.replace('-', '!').replace('-', '~')],
]
const ROUTES: readonly (readonly [title: string, path: string, headers: () => Promise<string[]>, arrives: boolean])[] = [
  ['public', '/public/x', async () => [], true],
  ['optional, anonymous', '/optional/x', async () => [], true],
  ['guarded, by token', '/guarded/x', async () => [bearer(await token({ email: 'alice@example.test' }))], true],
  ['guarded, by key', '/guarded/x', async () => [`X-API-Key: ${KEY}`], true],
  ['guarded, refused', '/guarded/x', async () => [], false],
  ['not found', '/nowhere', async () => [], false],
  ['without its upstream', '/gone/x', async () => [], false],
]
const KINDS: readonly (readonly [title: string, headers: readonly string[]])[] = [
  ['a plain request', []],
  ['Expect: 100-continue', ['Expect: 100-continue']],
  ['a WebSocket handshake', HANDSHAKE],
  ['a preflight', ['Origin: https://evil.test', 'Access-Control-Request-Method: GET']],
]

describe.each(SPELLINGS)('an identity header %s', (_title, spell) => {
  it.each(ROUTES.flatMap((route) => KINDS.map((kind) => [route[0], kind[0], route, kind] as const)))('never arrives on the route %s in %s', async (_route, _kind, [, path, headers, arrives], [kind, extra]) => {
    const forged = OWNED.flatMap((name) => [`${spell(name)}: root`, `${spell(name)}: root2`])
    const method = kind === 'a preflight' ? 'OPTIONS' : 'GET'
    const body = kind === 'Expect: 100-continue' ? ['Content-Length: 2'] : []
    const { arrived } = await attack(bytesOf(`${method} ${path}`, [...forged, ...(await headers()), ...extra, ...body, ...(kind === 'a WebSocket handshake' ? [] : ['Connection: close'])], body.length > 0 ? 'ab' : ''), { mayStayBehind: path.startsWith('/gone') })
    expect(arrived.length).toBe(arrives ? 1 : 0)
    expect(JSON.stringify(arrived)).not.toContain('root')
  })
})

describe('a name that is no token', () => {
  it.each(['X-User-Id ', ' X-User-Id', 'X-User-Id\t', 'X-User\u0000-Id', 'X-User-\u00cd d', 'X-User-Id\u000b', ''])('%j is 400 and goes nowhere', async (name) => {
    const { statuses, arrived } = await attack(bytesOf('GET /public/x', ['X-A: b', `${name}: root`]))
    expect(statuses).toEqual([400])
    expect(arrived).toEqual([])
  })
})

describe('what is only similar', () => {
  it.each(['X--User-Id', 'X-User-Id-', 'XUserId', 'Y-User-Id'])('%s is the client\'s own and passes', async (name) => {
    const { arrived } = await attack(bytesOf('GET /public/x', [`${name}: mine`, 'Connection: close']))
    expect(arrived[0]?.headers).toContainEqual([name, 'mine'])
  })
})

describe('a second spelling of a credential header', () => {
  it.each(['X_API_Key', 'X.API.Key', 'X-API_Key'])('%s is 400, beside a good key and alone', async (name) => {
    for (const more of [[], [`X-API-Key: ${KEY}`]]) expect((await attack(bytesOf('GET /guarded/x', [`${name}: ${KEY}`, ...more, 'Connection: close']))).statuses).toEqual([400])
  })
})

it('every claim that was removed was counted', () => {
  expect(attacked.events.counts['stripped x-user-id']).toBeGreaterThan(100)
})
