// Fields that `Connection` names (T3). Repeats GHSA-w9mr-28mw-j8hg (Oathkeeper), CVE-2021-32813, CVE-2024-45410 and CVE-2026-29054
// (Traefik, the last with a lower-case token), CVE-2022-31813 (Apache), and CVE-2026-71849 (hono/proxy) for the answers.
import { describe, expect, it } from 'vitest'
import { headerOf } from '../support/raw-client.ts'
import { valuesOf } from '../support/strict-http.ts'
import { bearer, bytesOf, KEY, startTarget } from './target.ts'

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, X-Secret\r\nKeep-Alive: timeout=9\r\nProxy-Authenticate: Basic\r\nX-Secret: inner\r\nX-Kept: yes\r\nX-Request-Id: theirs\r\n\r\nok'
const { attack, token } = await startTarget({ upstream: { answer: () => ANSWER } })

const PROTECTED = ['X-User-Id', 'x-user-id', 'X_User_Id', 'X.User.Id', 'X-User-Email', 'Host', 'Content-Length', 'Transfer-Encoding', 'Content-Type', 'Authorization', 'authorization', 'Cookie', 'X-API-Key', 'X_API_Key', 'X-Forwarded-For', 'X-REAL-IP', 'Forwarded', 'X-Request-Id', 'Origin']
const LISTS: readonly (readonly [title: string, lines: (name: string) => string[]])[] = [
  ['alone', (name) => [`Connection: ${name}`]],
  ['behind close', (name) => [`Connection: close, ${name}`]],
  ['on a second line, without blanks', (name) => ['Connection: close', `connection: x-a,${name},x-b`]],
]

describe.each(LISTS)('a protected field that is named %s', (_title, lines) => {
  it.each(PROTECTED)('%s: 400, so that neither we nor a proxy behind us takes it away', async (name) => {
    const { statuses, arrived } = await attack(bytesOf('GET /guarded/x', [...lines(name), bearer(await token())]))
    expect(statuses).toEqual([400])
    expect(arrived).toEqual([])
  })
})

describe('a field of the client\'s own', () => {
  it.each(['X-Custom', 'x-custom', 'X-CUSTOM'])('goes no further when it is named as %s', async (name) => {
    const { arrived } = await attack(bytesOf('GET /guarded/x', [`Connection: close, ${name}`, 'X-Custom: a', 'x_custom: b', 'X-Other: stays', bearer(await token())]))
    expect(arrived).toHaveLength(1)
    expect(valuesOf(arrived[0]!.headers, 'x-custom')).toEqual([])
    expect(valuesOf(arrived[0]!.headers, 'x-other')).toEqual(['stays'])
  })

  it.each(['Connection: "x-user-id"', 'Connection: x user id', 'Connection: @', 'Connection: x-a;q=1'])('is not guessed at: %s is 400', async (line) => {
    expect((await attack(bytesOf('GET /public/x', [line]))).statuses).toEqual([400])
  })
})

it('fields of one hop never go on, named or not', async () => {
  const { arrived } = await attack(bytesOf('GET /guarded/x', ['Connection: close', 'TE: trailers', 'Keep-Alive: timeout=5', 'Proxy-Connection: keep-alive', 'Proxy-Authorization: Basic cm9vdA==', 'Proxy-Authenticate: x', 'Trailer: x-user-id', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__', `X-API-Key: ${KEY}`]))
  expect(arrived).toHaveLength(1)
  expect(arrived[0]!.headers.map(([name]) => name.toLowerCase())).not.toContain('proxy-authorization')
})

describe('an answer', () => {
  it('loses what the upstream names, and everything of one hop', async () => {
    const { answers } = await attack(bytesOf('GET /public/x', ['Connection: close']))
    expect(headerOf(answers[0]!, 'x-secret')).toEqual([])
    expect(headerOf(answers[0]!, 'proxy-authenticate')).toEqual([])
    expect(headerOf(answers[0]!, 'x-kept')).toEqual(['yes'])
    expect(headerOf(answers[0]!, 'x-request-id')).not.toContain('theirs')
  })

  it('never repeats what the client named', async () => {
    const { answers } = await attack(bytesOf('GET /public/x', ['Connection: x-kept, x-reflected']))
    expect(headerOf(answers[0]!, 'connection').join()).not.toContain('reflected')
    expect(headerOf(answers[0]!, 'x-kept')).toEqual(['yes'])
  })
})
