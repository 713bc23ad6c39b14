import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { json, NO_ANSWERS, raw, startAnswering, type AnsweringServer } from '../../test/support/answering.ts'
import { SILENT } from '../model/event.ts'
import { createAuthority } from './authority.ts'
import { createAskSession } from './session-endpoint.ts'
import { fetchJson } from './side-call.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')
const user = { name: 'Ada', email: 'ada@example.com', image: null }

let app: AnsweringServer
beforeAll(async () => {
  app = await startAnswering()
})
afterAll(() => app.close())

const ask = (subject: readonly string[] = ['/user/id', '/user/email'], timeoutMs = 2_000) => createAskSession({
  url: `${app.url}/api/auth/session`, pointers: { subject, email: ['/user/email'], roles: [], scopes: [] },
  authority: createAuthority({ dependency: 'session', operation: 'session', timeoutMs, fetchJson, observer: SILENT, clock: () => NOW }),
})('authjs.session-token=opaque', NOW)

describe('the session endpoint', () => {
  it('is asked with only the session cookie', async () => {
    app.answer(json({ user, expires: '2026-02-01T00:00:00Z' }, { 'set-cookie': 'authjs.session-token=rolled-over' }))
    app.seen.length = 0
    const verdict = await ask()
    expect(verdict).toEqual({ kind: 'known', claims: { user, expires: '2026-02-01T00:00:00Z' }, expiresAt: Date.parse('2026-02-01T00:00:00Z') })
    expect(app.seen).toMatchObject([{ method: 'GET', target: '/api/auth/session', headers: { cookie: 'authjs.session-token=opaque' } }])
    expect(JSON.stringify(verdict)).not.toContain('rolled-over')
  })

  it('of better-auth names the expiry of the session itself', async () => {
    app.answer(json({ user: { id: 'u' }, session: { expiresAt: '2026-02-01T00:00:00Z' } }))
    expect(await ask()).toMatchObject({ kind: 'known', expiresAt: Date.parse('2026-02-01T00:00:00Z') })
  })

  it.each([
    ['{} (NextAuth v4)', raw(200, '{}'), 'session_invalid'],
    ['null (Auth.js v5, better-auth)', raw(200, 'null'), 'session_invalid'],
    ['401', raw(401, '{}'), 'session_invalid'],
    ['403', raw(403, '<html>', {}), 'session_invalid'],
    ['a session that has ended', json({ user, expires: '2025-12-31T23:59:59Z' }), 'session_expired'],
  ] as const)('means not logged in: %s', async (_title, answer, reason) => {
    app.answer(answer)
    expect(await ask()).toMatchObject({ kind: 'rejected', reason })
  })

  it.each([
    ...NO_ANSWERS,
    ['an error beside the user', json({ user, error: { message: 'refresh failed' } })],
    ['a user that is no object', json({ user: 'Ada' })],
    ['two users', raw(200, '{"user":{"email":"a"},"user":{"email":"b"}}')],
    ['429', raw(429, '', { 'retry-after': '3' })],
  ] as const)('could not be asked: %s', async (_title, answer) => {
    app.answer(answer)
    expect(await ask(undefined, 300)).toMatchObject({ kind: 'unavailable', dependency: 'session' })
  })

  it('is misconfigured when the subject is not where the config says', async () => {
    app.answer(json({ user }))
    expect(await ask(['/user/id'])).toMatchObject({ kind: 'unavailable', misconfigured: true })
  })
})
