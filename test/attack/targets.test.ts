// Targets that two readers read differently (T15, T18, T19). Repeats CVE-2026-33494 (Oathkeeper), CVE-2025-54576, CVE-2026-41059 and
// CVE-2026-40575 (oauth2-proxy), CVE-2025-32431, CVE-2025-47952, CVE-2025-66490, CVE-2026-40912, CVE-2026-48020 and CVE-2026-65600
// (Traefik), CVE-2019-9901, CVE-2026-73551, CVE-2026-73553 and CVE-2026-73511 (Envoy), CVE-2026-48794 (Authelia), GO-2026-4950
// (fasthttp), CVE-2026-22031 (middie), CVE-2021-21321 (reply-from), CVE-2026-126357 and GHSA-92pp-h63x-v22m (hono),
// GHSA-r99w-jh2x-3mg9 (Nuxt), CVE-2026-44575 (Next.js), CVE-2026-27587 (Caddy), CVE-2026-33186 (gRPC-Go).
import { describe, expect, it } from 'vitest'
import { bytesOf, startTarget } from './target.ts'

const { attack } = await startTarget()

/** Ways from the open part to the closed one, or to something that nobody meant. */
const REFUSED: readonly string[] = [
  // dot segments, raw and encoded
  '/public/../admin/x', '/public/./x', '/public/..', '/public/.', '/public/%2e%2e/admin/x', '/public/%2E%2E/admin/x', '/public/.%2e/admin/x', '/public/%2e./admin/x', '/public/%2e/x', '/public/x/%2e%2e/%2e%2e/admin/x', '/../admin/x', '/./admin/x', '/public/x/../../admin/x',
  // with parameters (Tomcat, Jetty, Spring)
  '/public/..;/admin/x', '/public/..;foo=bar/admin/x', '/public/.;/x', '/public;/../admin/x', '/public/x;a=b', '/public;a/x', '/;/admin/x', '/admin;/x', '/public/%2e%2e;/admin/x', '/public/..%3b/admin/x', '/public/..%3B/admin/x', '/public/.%3b/x',
  // encoded separators
  '/public%2f..%2fadmin/x', '/public/..%2fadmin/x', '/public/%2fadmin', '/public%2Fx', '/%2fadmin/x', '/public/x%5c..%5cadmin', '/public/..%5cadmin', '/public/%5C', '/public/x%2f',
  // backslashes (IIS)
  '/public\\..\\admin\\x', '/public/..\\admin/x', '/\\admin/x', '\\admin\\x', '/public/\\..\\admin',
  // twice encoded
  '/public/%252e%252e/admin/x', '/public/%252fadmin', '/public/%255cadmin', '/%2561dmin/x', '/public/%25252e', '/public/%25%32%65/x', '/public/%2%65/x', '/public/%%32%65/x',
  // needlessly encoded
  '/%61dmin/x', '/admi%6e/x', '/%41DMIN/x', '/public/%7euser', '/public/%2d', '/public/%5f', '/%70ublic/x', '/public/%30',
  // empty segments
  '//admin/x', '//public/x', '/public//x', '/public//../admin/x', '///admin/x', '/public/x//', '//evil.test/admin', '//api.test/admin/x', '/public/x///y',
  // controls, spaces and what is not ASCII
  '/public/%00', '/public/x%00.html', '/public/%0d%0aX-User-Id:%20root', '/public/%0a', '/public/%09', '/public/%7f', '/public/%1b', '/public/\u00e9', '/public/\u0080', '/public/\u00a0x', '/public/x\u007f', '/admin\0/x', '/public/\tx',
  // not UTF-8
  '/public/%c0%ae%c0%ae/admin/x', '/public/%c0%af', '/public/%e0%80%ae', '/public/%f0%80%80%ae', '/public/%ff', '/public/%c3', '/public/%c3%28', '/public/%ed%a0%80', '/public/%80', '/public/%f4%90%80%80', '/public/%u002e%u002e/admin',
  // malformed
  '/public/%', '/public/%2', '/public/%zz', '/public/%-1', '/public/x%', '/public/%g0',
  // fragments
  '/public#/../admin/x', '/public/x#', '/admin/x#/public', '/public/x?a#b', '#/admin', '/#',
  // other forms
  'http://api.test/admin/x', 'http://internal/admin/x', 'https://api.test/public/x', 'HTTP://api.test/public/x', 'http://api.test@internal/admin/x', 'file:///admin/x', 'javascript:alert(1)', 'admin/x', 'public/x', '?/public/x', '*', '.', '..', '../admin/x', './public/x', ':80', 'api.test:80', '@internal/x', 'http:/public/x', 'http:public/x',
]

/** How servers read what they are sent: each gives the path that it would serve. */
const resolve = (path: string): string => {
  const out: string[] = []
  for (const segment of path.split('/').slice(1)) {
    if (segment === '..') out.pop()
    else if (segment !== '.') out.push(segment)
  }
  return `/${out.join('/')}`
}
const decoded = (path: string): string => path.replaceAll(/%([0-9a-f]{2})/gi, (_match, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)))
const merged = (path: string): string => path.replaceAll(/\/+/g, '/')
const READERS: Readonly<Record<string, (path: string) => string>> = {
  'Tomcat, which cuts at ;': (path) => resolve(merged(decoded(path.replaceAll(/;[^/]*/g, '')))),
  'IIS, where \\ is / and dots at the end are nothing': (path) => resolve(merged(decoded(path).replaceAll('\\', '/'))).replaceAll(/[. ]+(?=\/|$)/g, '').toLowerCase(),
  'nginx, which merges //': (path) => resolve(merged(decoded(path))),
  'Express, where case means nothing': (path) => decoded(path).toLowerCase(),
  'who decodes twice': (path) => resolve(merged(decoded(decoded(path)))),
  'a WHATWG URL': (path) => new URL(path, 'http://upstream.test').pathname,
  'who cuts at # and NUL': (path) => resolve(decoded(path).split(/[#\0]/)[0] ?? ''),
}

/** Odd, but read the same way by everybody: what was judged open stays open. */
const ACCEPTED: readonly string[] = [
  '/public/x', '/public/x/', '/public/...', '/public/..x', '/public/x..', '/public/.hidden', '/public/a%20b', '/public/%C3%A9', '/public/%c3%a9', '/public/%23', '/public/%3F', '/public/a%25b', '/public/%3c%3e', '/public/x:y@z', "/public/!$&'()*+,=~-_", '/public/x%26y', '/public/%E2%80%AE', '/public/a|b', '/public/{x}', '/public/"', '/public/<x>', '/public/`', '/public/^', '/public/[x]',
  '/public/x?', '/public/x?a=b', '/public/x?../../admin', '/public/x?/admin/x', '/public/x??', '/public/x?%2e%2e%2f', '/public/x?\\', '/public/x?a=http://evil.test//', '/public/x?;a', '/public/%40', '/public/$%7Bx%7D', '/public/%3A',
]

describe('an ambiguous target', () => {
  it.each(REFUSED)('%s: 400, hung up, and nothing arrives', async (target) => {
    const { statuses, arrived, answers } = await attack(`GET ${target} HTTP/1.1\r\nHost: api.test\r\nX-User-Id: root\r\n\r\n`, { answers: Infinity })
    expect(statuses).toEqual([400])
    expect(answers[0]?.closed).toBe(true)
    expect(arrived).toEqual([])
  })
})

describe('a target that arrives', () => {
  it.each(ACCEPTED)('%s arrives byte for byte, and no server reads it as a closed path', async (target) => {
    const { arrived, statuses } = await attack(`GET ${target} HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n`)
    expect(statuses).toEqual([200])
    expect(arrived[0]!.target).toBe(target.endsWith('?') && !target.endsWith('??') ? target.slice(0, -1) : target)
    for (const [reader, read] of Object.entries(READERS)) expect(read(target.split('?')[0]!), reader).toMatch(/^\/public(\/|$)/)
  })

  it('of 8,193 bytes does not: 414', async () => {
    expect((await attack(bytesOf(`GET /public/${'a'.repeat(8_185)}`), { answers: Infinity })).statuses).toEqual([414])
    expect((await attack(bytesOf(`GET /public/${'a'.repeat(8_100)}`, ['Connection: close']))).statuses).toEqual([200])
  })
})

describe('a path that is nearly another', () => {
  const shapes: readonly (readonly [path: string, status: number])[] = [
    ['/admin/x', 401], ['/admin', 401], ['/admin/', 401], ['/admin.', 404], ['/admin.json', 404], ['/adminx', 404], ['/ADMIN/x', 404], ['/Admin/x', 404], ['/admin%20', 404], ['/public', 200], ['/public/', 200], ['/publicx', 404], ['/PUBLIC/x', 404], ['/public.', 404], ['/xpublic/x', 404], ['/x/public/x', 404], ['/', 404], ['/guarded', 401], ['/guarded.json', 404], ['/optional', 200],
  ]
  it.each(shapes)('%s is %i: what is not matched is denied, not open', async (path, status) => {
    expect((await attack(bytesOf(`GET ${path}`, ['Connection: close']))).statuses).toEqual([status])
  })

  it.each(['X-Original-URL', 'X-Rewrite-URL', 'X-Forwarded-Uri', 'X-Original-Uri', 'X-Envoy-Original-Path', 'X-Forwarded-Prefix', 'X-Accel-Redirect', 'X-Original-Host'])('%s does not replace it', async (name) => {
    expect((await attack(bytesOf('GET /admin/x', [`${name}: /public/x`, 'Connection: close']))).statuses).toEqual([401])
    expect(JSON.stringify((await attack(bytesOf('GET /public/x', [`${name}: /admin/x`, 'Connection: close']))).arrived)).not.toContain('admin')
  })
})
