import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { json, NO_ANSWERS, raw, startAnswering, type AnsweringServer } from '../../test/support/answering.ts'
import { request } from '../../test/support/described.ts'
import { SILENT } from '../model/event.ts'
import { createAuthority } from './authority.ts'
import { createRemoteAuthenticator, type RemoteSettings } from './remote.ts'
import { fetchJson } from './side-call.ts'
import { createVerdictCache } from './verdict-cache.ts'

let service: AnsweringServer
beforeAll(async () => {
  service = await startAnswering()
})
beforeEach(() => {
  service.seen.length = 0
  service.answer(json({ account: { id: 'user-1', mail: 'u@example.com', plan: 'pro', groups: ['a', 'b'] } }))
})
afterAll(() => service.close())

function authenticator(overrides: Partial<RemoteSettings> = {}, timeoutMs = 2_000) {
  const built = createRemoteAuthenticator({
    id: 'legacy', url: `${service.url}/whoami`, method: 'GET', credentials: [{ kind: 'cookie', name: 'sid' }, { kind: 'header', name: 'x-ticket' }], companions: ['x-tenant'], headers: {},
    authority: createAuthority({ dependency: 'legacy', operation: 'remote', timeoutMs, fetchJson, observer: SILENT, clock: Date.now }),
    pointers: { subject: ['/account/id'], email: ['/account/mail'], roles: ['/account/groups'], scopes: [], tier: ['/account/plan'] },
    cache: createVerdictCache({ name: 'remote', ttlMs: 10_000, negativeTtlMs: 5_000, maxEntries: 10, observer: SILENT }),
    challenge: { scheme: 'Cookie', parameters: [] }, forwardCredential: 'keep', ...overrides,
  })
  const verify = async (headers: Record<string, string | readonly string[]>, now = 0) => {
    const found = built.extract(request({ headers }))
    return found?.kind === 'credential' ? built.verify(found, now) : found
  }
  return { verify }
}

describe('a remote check', () => {
  it('sends the chosen headers and cookies and nothing else of the request', async () => {
    const { verify } = authenticator({ headers: { 'x-service-key': 'ours' } })
    expect(await verify({ cookie: 'theme=dark; sid=abc', 'x-ticket': 't', 'x-tenant': 'acme', authorization: 'Bearer private', 'user-agent': 'Mozilla', host: 'api.example' })).toMatchObject({
      kind: 'authenticated',
      principal: { subject: 'user-1', email: 'u@example.com', roles: ['a', 'b'], tier: 'pro', locations: [{ kind: 'cookie', name: 'sid' }, { kind: 'header', name: 'x-ticket' }] },
    })
    expect(service.seen).toMatchObject([{ method: 'GET', target: '/whoami', headers: { cookie: 'sid=abc', 'x-ticket': 't', 'x-tenant': 'acme', 'x-service-key': 'ours', 'user-agent': 'postern' } }])
    expect(service.seen[0]?.headers.authorization).toBeUndefined()
  })

  it('gives the named attributes, or the whole answer', async () => {
    expect(await authenticator({ attributes: new Map([['plan', '/account/plan']]) }).verify({ cookie: 'sid=abc' })).toMatchObject({ principal: { attributes: { plan: 'pro' } } })
    expect(await authenticator().verify({ cookie: 'sid=abc' })).toMatchObject({ principal: { attributes: { account: { plan: 'pro' } } } })
  })

  it('is not made without a credential, with a repeated one or with an odd one', async () => {
    const { verify } = authenticator()
    expect(await verify({ 'x-tenant': 'acme' })).toBeUndefined()
    expect(await verify({ cookie: 'sid=' })).toBeUndefined()
    expect(await verify({ cookie: 'sid=a; sid=b' })).toMatchObject({ kind: 'ambiguous' })
    expect(await verify({ 'x-ticket': ['a', 'b'] })).toMatchObject({ kind: 'ambiguous' })
    expect(await verify({ cookie: 'sid=a', 'x-tenant': ['a', 'b'] })).toMatchObject({ kind: 'ambiguous' })
    expect(await verify({ 'x-ticket': 'a\u0001b' })).toMatchObject({ kind: 'malformed' })
    expect(await verify({ 'x-ticket': 'x'.repeat(20_000) })).toMatchObject({ kind: 'malformed' })
    expect(service.seen).toEqual([])
  })

  it.each([401, 403])('refuses when the service says %i', async (status) => {
    service.answer(raw(status, '<html>no</html>', { 'content-type': 'text/html' }))
    expect(await authenticator().verify({ cookie: 'sid=abc' })).toEqual({ kind: 'rejected', reason: 'remote_rejected' })
  })

  it.each([
    ...NO_ANSWERS,
    ['200 without a subject', json({ account: {} })],
    ['200 with an empty subject', json({ account: { id: '' } })],
    ['200 with a number for a subject', json({ account: { id: 7 } })],
    ['200 with the subject twice', raw(200, '{"account":{"id":"a","id":"b"}}')],
    ['204', raw(204, '')],
  ] as const)('could not check when the service answers %s', async (_title, answer) => {
    service.answer(answer)
    expect(await authenticator({}, 300).verify({ cookie: 'sid=abc' })).toMatchObject({ kind: 'unavailable', dependency: 'legacy' })
  })

  it('keeps an answer for exactly the question that was asked', async () => {
    const { verify } = authenticator()
    await verify({ cookie: 'sid=abc', 'x-tenant': 'acme' })
    await verify({ cookie: 'sid=abc', 'x-tenant': 'acme' }, 9_000)
    expect(service.seen).toHaveLength(1)
    await verify({ cookie: 'sid=abc', 'x-tenant': 'other' })
    await verify({ 'x-ticket': 'abc', 'x-tenant': 'acme' })
    await verify({ cookie: 'sid=abc', 'x-tenant': 'acme' }, 10_000)
    expect(service.seen).toHaveLength(4)
  })
})
