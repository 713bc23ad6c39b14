import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { compile } from '../../src/config/compile.ts'
import { createResources } from '../../src/config/resources.ts'
import { factsOf } from '../../src/cli/snippets/facts.ts'
import { SILENT } from '../../src/model/event.ts'
import { exchange, type Received } from '../support/callers/client.ts'
import { ENVOY, ENVOY_GRPC, TRAEFIK } from '../support/callers/emulated.ts'
import { type Caller, type CallerKind, missing } from '../support/callers/process.ts'
import { CADDY, HAPROXY, NGINX } from '../support/callers/real.ts'
import { everyAnswer, PARTNER_KEY, startChecking, type Checking } from '../support/checking-postern.ts'
import { type EchoUpstream, startEchoUpstream } from '../support/echo-upstream.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { freePort } from '../support/running-postern.ts'

const KINDS: readonly (CallerKind & { readonly binary?: string })[] = [{ ...NGINX, binary: 'nginx' }, { ...CADDY, binary: 'caddy' }, { ...HAPROXY, binary: 'haproxy' }, TRAEFIK, ENVOY, ENVOY_GRPC]

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'forward-auth.md')
const COLUMNS = ['allow', 'anonymous', '401', '403', '429', '503', 'WebSocket', 'odd target'] as const
/** Caller, then column, to what stands in the table. */
const table = new Map<string, Map<string, string>>()

describe.each(KINDS.filter(({ binary }) => binary === undefined || !missing(binary)))('behind $name', (kind) => {
  let issuer: Issuer
  let postern: Checking
  let upstream: EchoUpstream
  let sockets: WebSocketServer
  let upgrades: IncomingMessage[]
  let caller: Caller
  let token: string
  let grpcPort: number
  const config = (): string => everyAnswer(issuer, kind.grpc ? `forward_auth: { grpc: "127.0.0.1:${grpcPort}" }\n` : '')
  const cells = new Map<string, string>()

  beforeAll(async () => {
    issuer = await startIssuer()
    token = await issuer.mint()
    grpcPort = await freePort()
    postern = await startChecking(config())
    upstream = await startEchoUpstream()
    upgrades = []
    sockets = new WebSocketServer({ server: upstream.server })
    sockets.on('connection', (socket, incoming) => {
      upgrades.push(incoming)
      socket.send('hello')
    })
    const resources = createResources({ clock: Date.now, observer: SILENT })
    resources.begin()
    const { authenticators, gateway } = compile(postern.config, resources)
    const facts = factsOf({ config: postern.config, wire: gateway.wire, authenticators: [...authenticators.values()].map(({ authenticator }) => authenticator), version: 'test', overrides: { postern: `127.0.0.1:${postern.port}`, api: `127.0.0.1:${upstream.port}`, listen: `127.0.0.1:${await freePort()}` } })
    caller = await kind.start(facts)
    await resources.closeAll()
    table.set(kind.name, cells)
    if (!kind.real) process.stderr.write(`EMULATED: ${kind.name} is not installed; what stands in for it must give the row that the real one gave\n`)
  })
  afterAll(async () => {
    await caller?.close()
    sockets?.close()
    await Promise.all([postern?.close(), upstream?.close(), issuer?.close()])
  })

  const send = (method: string, target: string, lines: readonly string[] = [], body = ''): Promise<Received> =>
    exchange(caller.port, `${method} ${target} HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n${lines.map((line) => `${line}\r\n`).join('')}${body === '' ? '' : `Content-Length: ${body.length}\r\n`}\r\n${body}`)
  const user = (): string => `Authorization: Bearer ${token}`
  const seen = () => upstream.seen.at(-1)!
  const codeOf = ({ body }: Received): unknown => (JSON.parse(body) as { code: unknown }).code
  const upstreamSaw = (headers: IncomingMessage['headers']): string => `X-User-Id ${headers['x-user-id'] === undefined ? 'absent' : headers['x-user-id'] === '' ? 'empty' : `\`${headers['x-user-id']}\``}`
  const told = ({ status, headers, body }: Received): string => `${status}${headers.has('www-authenticate') ? ', challenge' : ''}${headers.has('retry-after') ? ', Retry-After' : ''}${body.startsWith('{') ? ', problem' : ', no problem'}; saw nothing`

  const FORGED = ['X-User-Id: mallory', 'x-user-scopes: everything']

  it('a known user passes, with the identity that was verified and without the credential', async () => {
    const answer = await send('GET', '/api/orders?a=1&b=%20', [user(), ...FORGED])
    expect(answer.status, caller.output()).toBe(200)
    const { headers, target } = seen()
    expect([target, headers['x-user-id'], headers['x-user-scopes'] ?? '', headers.authorization ?? '']).toEqual(['/api/orders?a=1&b=%20', 'alice', '', ''])
    cells.set('allow', `200; saw ${upstreamSaw(headers)}, no credential`)
    await send('GET', '/api/orders', [`X-API-Key: ${PARTNER_KEY}`])
    expect([seen().headers['x-user-id'], seen().headers['x-api-key'] ?? '']).toEqual(['partner', ''])
  })

  it('an anonymous principal and an open route are nobody, whatever the client claims', async () => {
    for (const path of ['/maybe/x', '/open/x']) {
      const answer = await send('GET', path, FORGED)
      expect([answer.status, seen().headers['x-user-id'] ?? '', seen().headers['x-user-scopes'] ?? '']).toEqual([200, '', ''])
    }
    cells.set('anonymous', `200; saw ${upstreamSaw(seen().headers)}`)
  })

  it('other spellings of an identity header do not get through', async () => {
    const before = upstream.seen.length
    for (const line of ['X_User_Id: mallory', 'X_USER_ID: mallory', 'x.user.id: mallory']) {
      await send('GET', '/open/x', [line]).catch(() => undefined)
      for (const { rawHeaders } of upstream.seen.slice(before)) expect(rawHeaders).not.toContain('mallory')
    }
  })

  it.each([
    ['401', '/api/x', [] as string[], 401, 'credential_missing'],
    ['403', '/admin/x', ['token'], 403, 'scope_insufficient'],
    ['503', '/broken/x', ['broken'], 503, 'dependency_unavailable'],
  ])('%s reaches the client with its status, its fields and its problem, and the upstream sees nothing', async (column, path, credentials, status, code) => {
    const before = upstream.seen.length
    const broken = [token.split('.')[0], Buffer.from(JSON.stringify({ iss: 'https://idp.invalid', aud: 'api', sub: 'x', exp: 4e9 })).toString('base64url'), token.split('.')[2]].join('.')
    const answer = await send('GET', path, credentials.map((which) => (which === 'token' ? user() : `Authorization: Bearer ${broken}`)))
    expect([answer.status, codeOf(answer), upstream.seen.length], caller.output()).toEqual([status, code, before])
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
    if (status === 401) expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer[^,]*(, *[a-z_]+="[^"]*")*(, ApiKey.*)?$/)
    if (status === 503) expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    cells.set(column, told(answer))
  })

  it('429 reaches the client with Retry-After', async () => {
    const before = upstream.seen.length
    expect([(await send('GET', '/limited/x', [user()])).status, (await send('GET', '/limited/x', [user()])).status]).toEqual([200, 200])
    // A forged address does not make another client.
    const answer = await send('GET', '/limited/x', [user(), 'X-Forwarded-For: 198.51.100.9', 'X-Real-IP: 198.51.100.9', 'Forwarded: for=198.51.100.9'])
    expect([answer.status, codeOf(answer), Number(answer.headers.get('retry-after')) > 0, upstream.seen.length]).toEqual([429, 'quota_exceeded', true, before + 2])
    cells.set('429', told(answer))
  })

  it('a WebSocket is opened for a known user, and refused for nobody', async () => {
    const handshake = ['Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
    const open = (lines: readonly string[]) => exchange(caller.port, `GET /api/ws HTTP/1.1\r\nHost: api.example\r\nConnection: Upgrade\r\n${[...handshake, ...lines].map((line) => `${line}\r\n`).join('')}\r\n`)
    expect((await open([user(), ...FORGED])).status, caller.output()).toBe(101)
    expect([upgrades.at(-1)!.headers['x-user-id'], upgrades.at(-1)!.headers.authorization ?? '']).toEqual(['alice', ''])
    const before = upgrades.length
    const refused = await open(FORGED)
    expect([refused.status, upgrades.length]).toEqual([401, before])
    cells.set('WebSocket', `101; saw ${upstreamSaw(upgrades.at(-1)!.headers)} (401 for nobody)`)
  })

  it.each(['/open/../admin/x', '/open/%2e%2e/admin/x', '/open/.%2e/admin/x', '//admin/x', '/open//x', '/open/%2fadmin', '/open/%5c..%5cadmin', '/open/;/../admin/x', '/open/%00', '/open/%252e%252e/admin', '/open/..;/admin/x', '/open/x#/../../admin', 'http://api.example/admin/x', 'http://evil.example/open/../admin/x'])('the odd target %s reaches nothing that was not judged', async (target) => {
    const before = upstream.seen.length
    const answer = await send('GET', target, FORGED)
    const reached = upstream.seen.slice(before).map((request) => request.target)
    // Who tidies a path up must ask about what it sends on, and nothing else.
    if (kind.tidies && reached.length > 0) expect([reached, reached[0]!.startsWith('/open/')]).toEqual([[postern.events.decided.at(-1)?.request?.target.path], true])
    else expect([answer.status >= 400, reached]).toEqual([true, []])
    if (target === '/open/../admin/x') cells.set('odd target', `${answer.status}; saw nothing`)
  })

  it('a body reaches the upstream byte for byte, and never Postern', async () => {
    const body = 'GET /admin/x HTTP/1.1\r\n\r\n'.repeat(20)
    expect((await send('POST', '/api/x', [user(), 'Content-Type: text/plain'], body)).status).toBe(200)
    expect([seen().method, seen().body]).toEqual(['POST', body])
    expect(postern.events.decided.at(-1)?.request?.method).toBe('POST')
  })

  it.each([
    ['another method and path', ['X-Forwarded-Uri: /open/x', 'X-Forwarded-Method: OPTIONS']],
    ['the headers of nginx', ['X-Original-URL: http://api.example/open/x', 'X-Original-URI: /open/x', 'X-Original-Method: OPTIONS']],
    ['another host', ['X-Forwarded-Host: open.example']],
    ['a rewritten URL', ['X-Rewrite-URL: /open/x']],
    ['another method', ['X-HTTP-Method-Override: OPTIONS']],
    ['that somebody knows it', ['X-Auth-Status: 200', 'X-Postern-Secret: guess']],
  ])('a client that says %s is judged by what it asks for', async (_what, lines) => {
    const before = upstream.seen.length
    const answer = await send('GET', '/admin/x', lines)
    expect([400, 401]).toContain(answer.status)
    expect(upstream.seen.length).toBe(before)
    const host = postern.events.decided.at(-1)?.request?.target.host
    if (host !== undefined) expect(host).toBe('api.example')
  })

  it('a client that claims an address of an allowed network is not in it', async () => {
    const answer = await send('GET', '/inner/x', ['X-Forwarded-For: 203.0.113.5', 'X-Real-IP: 203.0.113.5', 'Forwarded: for=203.0.113.5'])
    expect([answer.status, postern.events.decided.at(-1)?.request?.client.ip]).toEqual([403, '127.0.0.2'])
    const plain = await send('GET', '/tls/x', ['X-Forwarded-Proto: https', 'X-Forwarded-Ssl: on'])
    expect([plain.status, codeOf(plain)]).toEqual([403, 'https_required'])
  })

  it('HEAD and DELETE are judged as what they are', async () => {
    for (const method of ['HEAD', 'DELETE']) {
      expect((await send(method, '/api/x')).status).toBe(401)
      expect((await send(method, '/api/x', [user()])).status).toBe(200)
      expect(seen().method).toBe(method)
    }
  })

  it('nothing passes while Postern cannot be asked', async () => {
    await postern.close()
    const before = upstream.seen.length
    const answer = await send('GET', '/open/x')
    expect(answer.status).toBeGreaterThanOrEqual(500)
    expect(upstream.seen.length).toBe(before)
    postern = await startChecking(config())
  })
})

describe('docs/forward-auth.md', () => {
  it('has the table that these tests made', () => {
    const rows = [...table].map(([name, cells]) => `| ${[name, ...COLUMNS.map((column) => cells.get(column) ?? 'not measured')].join(' | ')} |`)
    const block = ['<!-- table: made by test/e2e/forward-auth-peers.test.ts -->', `| caller | ${COLUMNS.join(' | ')} |`, `|${'---|'.repeat(COLUMNS.length + 1)}`, ...rows, '<!-- /table -->'].join('\n')
    const page = readFileSync(PAGE, 'utf8')
    const written = /<!-- table:[^]*?<!-- \/table -->/.exec(page)?.[0]
    // The page has what the real ones gave. On a machine that lacks one its row is not compared, or is what the emulator must give as well.
    if (process.env['POSTERN_WRITE_DOCS'] === '1') expect(KINDS.filter(({ real }) => !real).map(({ name }) => name), 'only real peers are written down').toEqual([])
    if (process.env['POSTERN_WRITE_DOCS'] === '1') writeFileSync(PAGE, page.replace(/<!-- table:[^]*?<!-- \/table -->/, () => block))
    else for (const row of rows) expect(written, 'run again with POSTERN_WRITE_DOCS=1').toContain(row)
  })
})
