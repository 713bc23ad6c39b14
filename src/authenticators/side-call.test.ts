import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startIssuer, type Issuer } from '../../test/support/issuer.ts'
import { fetchJson, isTrustworthyUrl } from './side-call.ts'

let issuer: Issuer
beforeAll(async () => {
  issuer = await startIssuer()
})
beforeEach(() => issuer.behave('ok'))
afterAll(() => issuer.close())

const call = (more = {}) => fetchJson({ url: issuer.jwksUrl, timeoutMs: 2_000, maxBytes: 10_000, ...more })

describe('a side call', () => {
  it('gives status, headers, text and JSON', async () => {
    const answer = await call()
    expect(answer).toMatchObject({ kind: 'answer', status: 200, json: { keys: issuer.keys() } })
    expect(answer.kind === 'answer' && answer.headers.get('content-type')).toBe('application/json')
  })

  it.each([
    ['error', { kind: 'answer', status: 500, json: { error: 'down' } }],
    ['html', { kind: 'answer', status: 200, json: undefined }],
    ['refuse', { kind: 'network' }],
    ['truncated', { kind: 'network' }],
    ['large', { kind: 'too_large' }],
    ['redirect', { kind: 'redirect' }],
    ['gzip', { kind: 'encoded' }],
    ['brotli', { kind: 'encoded' }],
  ] as const)('reports an issuer that answers with %s', async (behaviour, expected) => {
    issuer.behave(behaviour)
    expect(await call()).toMatchObject(expected)
  })

  it.each(['hang', 'slow'] as const)('ends at the deadline when the other side is %s', async (behaviour) => {
    issuer.behave(behaviour)
    const startedAt = performance.now()
    expect(await call({ timeoutMs: 100 })).toMatchObject({ kind: 'timeout' })
    expect(performance.now() - startedAt).toBeLessThan(1_500)
  })

  it('never follows a redirect', async () => {
    issuer.behave('redirect')
    await call()
    expect(issuer.requests.redirected).toBe(0)
  })

  it.each([
    ['a port nobody listens on', 'http://127.0.0.1:1/'],
    ['a name that cannot be', 'http://localhost.invalid/'],
    ['a URL that is none', 'nonsense'],
  ])('never rejects: %s', async (_title, url) => {
    expect(await call({ url })).toMatchObject({ kind: 'network' })
  })
})

describe('what a side call sends', () => {
  let server: Server
  let seen: { method: string | undefined; headers: Record<string, unknown>; body: string }
  beforeAll(async () => {
    server = createServer(async (request, response) => {
      const chunks = await request.toArray()
      seen = { method: request.method, headers: request.headers, body: Buffer.concat(chunks).toString() }
      response.end('{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  it('asks for an unencoded answer, whatever the caller says, and frames its body', async () => {
    const { port } = server.address() as AddressInfo
    await call({ url: `http://127.0.0.1:${port}/`, method: 'POST', body: 'token=ä', headers: { 'content-type': 'application/x-www-form-urlencoded', 'accept-encoding': 'br' } })
    expect(seen).toMatchObject({ method: 'POST', body: 'token=ä', headers: { 'accept-encoding': 'identity', 'content-length': '8', 'content-type': 'application/x-www-form-urlencoded' } })
  })
})

describe('a trustworthy URL', () => {
  it.each([
    ['https://idp.example.com/jwks', true],
    ['http://127.0.0.1:9000/jwks', true],
    ['http://localhost/jwks', true],
    ['http://[::1]:9000/', true],
    ['http://idp.example.com/jwks', false],
    ['http://localhost.example.com/', false],
    ['http://127.0.0.1.example.com/', false],
    ['http://169.254.169.254/', false],
    ['file:///etc/passwd', false],
    ['data:application/json,{}', false],
    ['', false],
  ])('%s: %s', (url, expected) => {
    expect(isTrustworthyUrl(url)).toBe(expected)
  })
})
