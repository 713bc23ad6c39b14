import { describe, expect, it } from 'vitest'
import { type EchoUpstream, startEchoUpstream } from '../support/echo-upstream.ts'
import { allow, deny, MISSING, type RunningProxy, startProxy, upstream } from '../support/gateway.ts'
import { closeAfterEach } from '../support/opened.ts'
import { rawClient, rawExchange } from '../support/raw-socket.ts'

const opened = closeAfterEach()

async function pair(options: Partial<Parameters<typeof startProxy>[0]> = {}): Promise<{ up: EchoUpstream; proxy: RunningProxy }> {
  const up = opened(await startEchoUpstream())
  const proxy = opened(await startProxy({ upstreams: [upstream(up.port)], ...options }))
  return { up, proxy }
}

describe('the proxy face', () => {
  it('passes method, target, body and headers, and sets the verified identity instead of the claimed one', async () => {
    const { up, proxy } = await pair()
    const answer = await fetch(`${proxy.url}/a%20b?x=1&x=2`, { method: 'POST', body: 'hello', headers: { 'x-user-id': 'forged', 'x-other': 'stays' } })
    expect(answer.status).toBe(200)
    expect(up.seen).toHaveLength(1)
    const [seen] = up.seen
    expect(seen).toMatchObject({ method: 'POST', target: '/a%20b?x=1&x=2', body: 'hello' })
    expect(seen?.headers).toMatchObject({ 'x-user-id': 'verified', 'x-other': 'stays', 'content-length': '5', host: `127.0.0.1:${proxy.port}` })
    expect(answer.headers.get('x-request-id')).toBe(seen?.headers['x-request-id'])
    expect(proxy.events.counts).toMatchObject({ 'stripped x-user-id': 1 })
  })

  it('tells of each request once: decided, exchanged, answered, opened and closed', async () => {
    const { proxy } = await pair()
    await (await fetch(`${proxy.url}/x`)).text()
    await expect.poll(() => proxy.events.counts['request']).toBe(0)
    expect(proxy.events.decided).toHaveLength(1)
    expect(proxy.events.exchanged).toMatchObject([{ upstream: 'default', outcome: 'ok', status: 200 }])
    expect(proxy.events.answered).toMatchObject([{ face: 'proxy', method: 'GET', status: 200 }])
    expect(proxy.events.faulted).toEqual([])
  })

  it('asks the upstream nothing when the request is denied', async () => {
    const { up, proxy } = await pair({ decide: () => deny(MISSING) })
    const answer = await fetch(`${proxy.url}/x`)
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toContain('Bearer')
    expect(await answer.json()).toMatchObject({ code: 'credential_missing' })
    expect(up.connections()).toBe(0)
  })

  it('gives the answer of a route that answers itself, without a body to HEAD', async () => {
    const reply = { status: 200, headers: [['Content-Type', 'text/plain']] as const, body: 'me' }
    const { up, proxy } = await pair({ decide: (_request, route) => ({ outcome: 'answer', route, reply, limits: [], attempts: [] }) })
    expect(await (await fetch(`${proxy.url}/me`)).text()).toBe('me')
    const head = await rawExchange(proxy.port, 'HEAD /me HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1\.1 200/)
    expect(head).toMatch(/\r\n\r\n$/)
    expect(head).toMatch(/content-length: 2/i)
    expect(up.connections()).toBe(0)
  })

  it('answers 500 and reports the fault when the decision point throws, and lets nothing pass', async () => {
    const { up, proxy } = await pair({ decide: () => { throw new Error('a bug') } })
    const answer = await fetch(`${proxy.url}/x`)
    expect(answer.status).toBe(500)
    expect(proxy.events.faulted).toHaveLength(1)
    expect(proxy.events.decided).toHaveLength(1)
    expect(up.connections()).toBe(0)
  })

  it('answers 500 when a route names an upstream that is not there', async () => {
    const { proxy } = await pair({ route: { upstreamId: 'elsewhere' } })
    expect((await fetch(`${proxy.url}/x`)).status).toBe(500)
    expect(proxy.events.faulted).toHaveLength(1)
  })

  it('sends the path that the route rewrites to, behind the base path of the upstream', async () => {
    const up = opened(await startEchoUpstream())
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port, { basePath: '/base' })], route: { rewrite: (path) => path.replace('/api', '') } }))
    await fetch(`${proxy.url}/api/x?y`)
    expect(up.seen[0]?.target).toBe('/base/x?y')
  })

  it('sends the upstream its own Host when told so', async () => {
    const up = opened(await startEchoUpstream())
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port, { host: 'upstream' })] }))
    await fetch(`${proxy.url}/x`)
    expect(up.seen[0]?.headers.host).toBe(`127.0.0.1:${up.port}`)
  })

  it('keeps connections to the upstream, unless told not to', async () => {
    const { up, proxy } = await pair()
    for (let index = 0; index < 5; index += 1) await (await fetch(`${proxy.url}/x`)).text()
    expect(up.connections()).toBe(1)
    const fresh = opened(await startProxy({ upstreams: [upstream(up.port, { keepAlive: false })] }))
    for (let index = 0; index < 3; index += 1) await (await fetch(`${fresh.url}/x`)).text()
    expect(up.connections()).toBe(4)
  })

  it('keeps identities apart on one pipelined connection', async () => {
    const { proxy } = await pair({
      decide: (request, route) => {
        const user = request.headers.get('x-test-user')?.[0]
        return user ? allow(route, { mutation: { remove: [], removeCookies: [], set: [['X-User-Id', user]] } }) : deny(MISSING)
      },
    })
    const users = Array.from({ length: 60 }, (_, index) => ['alice', 'bob', ''][index % 3] ?? '')
    const client = rawClient(proxy.port)
    client.send(users.map((user, index) => `GET /${index} HTTP/1.1\r\nHost: a\r\n${user ? `X-Test-User: ${user}\r\n` : ''}${index === users.length - 1 ? 'Connection: close\r\n' : ''}\r\n`).join(''))
    const text = await client.ended()
    const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
    expect(statuses).toEqual(users.map((user) => (user ? '200' : '401')))
    const identities = [...text.matchAll(/"target":"\/(\d+)".*?"x-user-id":"(\w+)"/g)].map(([, index, user]) => [Number(index), user])
    expect(identities).toEqual(users.flatMap((user, index) => (user ? [[index, user]] : [])))
  })

  it('sheds with 503 above its cap of requests in flight', async () => {
    const up = opened(await startEchoUpstream({ answer: () => undefined }))
    const proxy = opened(await startProxy({ upstreams: [upstream(up.port)], listener: { maxInFlight: 2 } }))
    const waiting = [rawClient(proxy.port), rawClient(proxy.port)]
    for (const client of waiting) client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await expect.poll(() => proxy.face.inFlight()).toBe(2)
    const answer = await fetch(`${proxy.url}/x`)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).not.toBeNull()
    for (const client of waiting) client.socket.destroy()
    await expect.poll(() => proxy.face.inFlight()).toBe(0)
  })
})
