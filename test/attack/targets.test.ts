// Targets that two readers read differently (T15, T18, T19). Repeats CVE-2026-33494 (Oathkeeper), CVE-2025-54576, CVE-2026-41059 and
// CVE-2026-40575 (oauth2-proxy), CVE-2025-32431, CVE-2025-47952, CVE-2025-66490, CVE-2026-40912, CVE-2026-48020 and CVE-2026-65600
// (Traefik), CVE-2019-9901, CVE-2026-73551, CVE-2026-73553 and CVE-2026-73511 (Envoy), CVE-2026-48794 (Authelia), GO-2026-4950
// (fasthttp), CVE-2026-22031 (middie), CVE-2021-21321 (reply-from), CVE-2026-126357 and GHSA-92pp-h63x-v22m (hono),
// GHSA-r99w-jh2x-3mg9 (Nuxt), CVE-2026-44575 (Next.js), CVE-2026-27587 (Caddy), CVE-2026-33186 (gRPC-Go).
import { describe, expect, it } from 'vitest'
import { ACCEPTED, READERS, REFUSED } from './ambiguous-targets.ts'
import { bytesOf, startTarget } from './target.ts'

const { attack } = await startTarget()

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
