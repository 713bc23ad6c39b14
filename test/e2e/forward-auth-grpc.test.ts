import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { assert, nat, property, uint8Array } from 'fast-check'
import { decodeCheckRequest } from '../../src/faces/forward-auth/check-messages.ts'
import { WireFormatError } from '../../src/faces/forward-auth/protobuf.ts'
import { call, checkRequest, message, type Asked, type CheckResponse } from '../support/callers/ext-authz.ts'
import { everyAnswer, startChecking, type Checking } from '../support/checking-postern.ts'
import { startIssuer, type Issuer } from '../support/issuer.ts'

let issuer: Issuer
let postern: Checking
let token: string

beforeAll(async () => {
  issuer = await startIssuer()
  postern = await startChecking(everyAnswer(issuer, '  - { name: me, match: { path: /me }, auth: idp }\nforward_auth: { grpc: "127.0.0.1:0" }\n'))
  token = await issuer.mint()
})
afterAll(async () => {
  await postern.close()
  await issuer.close()
})
beforeEach(() => {
  postern.events.decided.length = 0
})

const ask = (asked: Asked = {}): Promise<CheckResponse> => call(postern.grpcPort, checkRequest(asked))
const user = (): readonly [string, string] => ['authorization', `Bearer ${token}`]

describe('ext_authz over gRPC', () => {
  it.each([[false, 'raw headers'], [true, 'joined headers']])('lets a known user pass, sets what was verified and removes the rest', async (joined) => {
    const answer = await ask({ path: '/api/orders?x=1', headers: [user(), ['x-user-id', 'mallory'], ['x-user-scopes', 'all']], joined })
    expect(answer).toMatchObject({ grpcStatus: '0', code: 0, set: { 'x-user-id': 'alice' } })
    expect(answer.denied).toBeUndefined()
    expect(answer.remove.toSorted()).toEqual(['authorization', 'x-api-key', 'x-user-scopes'])
    const [{ face, request, status }] = postern.events.decided as [(typeof postern.events.decided)[number]]
    expect([face, status, request?.target, request?.client.ip]).toEqual(['forward_auth', 200, { scheme: 'https', host: 'api.example', path: '/api/orders', query: 'x=1' }, '203.0.113.7'])
  })

  it('removes every claim of an identity when there is nobody', async () => {
    const answer = await ask({ path: '/open/x', headers: [['x-user-id', 'mallory']] })
    expect([answer.code, answer.set['x-user-id'], answer.remove.includes('x-user-id'), answer.remove.includes('x-user-scopes')]).toEqual([0, undefined, true, true])
  })

  it.each([
    ['/api/x', [], 401, 16, 'credential_missing'],
    ['/admin/x', ['user'], 403, 7, 'scope_insufficient'],
    ['/nowhere', ['user'], 404, 7, 'route_not_found'],
    ['/open/../admin/x', [], 400, 7, 'request_ambiguous'],
    ['//open/x', [], 400, 7, 'request_ambiguous'],
    ['', [], 400, 7, 'request_ambiguous'],
    ['http://api.example/open/x', [], 400, 7, 'request_ambiguous'],
  ] as const)('refuses %s with %j as the client shall see it', async (path, who, status, code, problem) => {
    const answer = await ask({ path, headers: who.length > 0 ? [user()] : [] })
    expect([answer.grpcStatus, answer.code, answer.denied?.status, (JSON.parse(answer.denied!.body) as { code: string }).code]).toEqual(['0', code, status, problem])
    expect(postern.events.decided).toHaveLength(1)
    // Both challenges of the route arrive: the second is appended and not written over the first.
    if (status === 401) expect(answer.denied!.headers.filter(([name]) => name === 'www-authenticate').map(([, , append]) => append)).toEqual([false, true])
  })

  it('a 503 is an answer for the client, and no error that failure_mode_allow would let pass', async () => {
    const broken = [token.split('.')[0], Buffer.from(JSON.stringify({ iss: 'https://idp.invalid', aud: 'api', sub: 'x', exp: 4e9 })).toString('base64url'), token.split('.')[2]].join('.')
    const answer = await ask({ path: '/broken/x', headers: [['authorization', `Bearer ${broken}`]] })
    expect([answer.grpcStatus, answer.denied?.status, answer.denied?.headers.some(([name]) => name === 'retry-after')]).toEqual(['0', 503, true])
  })

  it('tells clients what is left of their quotas, on a passage and on a refusal', async () => {
    const limited = () => ask({ path: '/limited/x', headers: [user()] })
    expect(Object.keys((await limited()).toClient).toSorted()).toEqual(['ratelimit', 'ratelimit-policy'])
    await limited()
    expect((await limited()).denied).toMatchObject({ status: 429 })
  })

  it('answers a preflight itself', async () => {
    const answer = await ask({ method: 'OPTIONS', path: '/shared/x', headers: [['origin', 'https://app.example'], ['access-control-request-method', 'DELETE']] })
    expect(answer.denied?.status).toBe(204)
    expect(answer.denied?.headers).toContainEqual(['access-control-allow-origin', 'https://app.example', false])
  })

  it('sees two credentials as two, in raw headers', async () => {
    expect((await ask({ path: '/api/x', headers: [user(), user()] })).denied?.status).toBe(400)
    expect((await ask({ path: '/open/x', headers: [['x_user_id', 'mallory']] })).denied?.status).toBe(400)
    expect((await ask({ path: '/open/x', headers: [['x-http-method-override', 'DELETE']] })).denied?.status).toBe(400)
  })

  it('takes the request from the attributes alone', async () => {
    await ask({ path: '/admin/x', headers: [['x-forwarded-uri', '/open/x'], ['x-forwarded-host', 'open.example'], user()] })
    expect(postern.events.decided[0]?.request?.target).toMatchObject({ path: '/admin/x', host: 'api.example' })
  })
})

describe('who may call', () => {
  it('a stranger is not even listened to', async () => {
    await expect(call(postern.grpcPort, checkRequest({}), { localAddress: '127.0.0.2' })).rejects.toThrow()
    expect(postern.events.decided).toEqual([])
  })

  it('with a secret, everybody must show it as metadata', async () => {
    const secret = 'one-secret-of-this-test'
    const guarded = await startChecking(everyAnswer(issuer, `forward_auth: { grpc: "127.0.0.1:0", secret: ${secret} }\n`).replace('client_ip: { trusted_proxies: [127.0.0.1] }\n', ''))
    try {
      const statusOf = async (metadata: Record<string, string>, headers: Asked['headers'] = []) => (await call(guarded.grpcPort, checkRequest({ headers }), { metadata })).denied?.status
      expect([await statusOf({}), await statusOf({ 'x-postern-secret': 'wrong' }), await statusOf({ 'x-postern-secret': secret })]).toEqual([403, 403, undefined])
      // Envoy Gateway can say it beside the request, and nowhere else.
      const beside = async (value: string) => (await call(guarded.grpcPort, checkRequest({ context: { 'x-postern-secret': value } })))
      expect([(await beside('wrong')).denied?.status, (await beside(secret)).denied]).toEqual([403, undefined])
      // Whoever shows it in the request itself did not mean the upstream.
      expect((await beside(secret)).remove).toContain('x-postern-secret')
      // What the client says of it is not the caller's word.
      expect(await statusOf({}, [['x-postern-secret', secret]])).toBe(403)
    } finally {
      await guarded.close()
    }
  })
})

describe('what is no check', () => {
  it.each([
    ['another method', { path: '/envoy.service.auth.v2.Authorization/Check' }, '12'],
    ['another content type', { contentType: 'application/json' }, '12'],
    ['no message', { raw: Buffer.alloc(0) }, '3'],
    ['half a message', { raw: Buffer.from([0, 0, 0, 0, 9, 1]) }, '3'],
    ['a compressed message', { raw: Buffer.from([1, 0, 0, 0, 0]) }, '3'],
    ['two messages', { raw: Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) }, '3'],
    ['a message that is none', { raw: Buffer.from([0, 0, 0, 0, 2, 0x0a, 0xff]) }, '3'],
    ['a message that is too large', { raw: Buffer.concat([Buffer.from([0, 0, 0x20, 0, 0]), Buffer.alloc(0x200000)]) }, '8'],
  ] as const)('%s is an error and no answer', async (_what, options, status) => {
    const answer = await call(postern.grpcPort, Buffer.alloc(0), options)
    expect([answer.grpcStatus, answer.denied, answer.set]).toEqual([status, undefined, {}])
  })

  it('an empty CheckRequest is refused', async () => {
    expect((await call(postern.grpcPort, message())).denied?.status).toBe(400)
  })

  it('whatever bytes come, decoding gives a request or says that it is none', () => {
    assert(property(uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeCheckRequest(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(WireFormatError)
      }
    }))
    const whole = checkRequest({ headers: [user()] })
    assert(property(nat(whole.length - 1), nat(255), (at, byte) => {
      const bent = Buffer.from(whole)
      bent[at] = byte
      try {
        decodeCheckRequest(bent)
      } catch (error) {
        expect(error).toBeInstanceOf(WireFormatError)
      }
    }))
  })
})
