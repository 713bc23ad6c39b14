import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { everyAnswer, PARTNER_KEY, startChecking, type Checking } from '../support/checking-postern.ts'
import { startIssuer, type Issuer } from '../support/issuer.ts'
import { headerOf, rawRequest, type RawAnswer } from '../support/raw-client.ts'

let issuer: Issuer
let postern: Checking
let token: string

beforeAll(async () => {
  issuer = await startIssuer()
  postern = await startChecking(everyAnswer(issuer))
  token = await issuer.mint()
})
afterAll(async () => {
  await postern.close()
  await issuer.close()
})
beforeEach(() => {
  postern.events.decided.length = 0
})

type Lines = readonly string[]

async function send(requestLine: string, lines: Lines, port = postern.port): Promise<RawAnswer> {
  const [answer] = await rawRequest(port, `${requestLine} HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`, { answers: 1 })
  return answer!
}

/** What a caller of each dialect writes about one request of its client. */
const asks = {
  forward: (method: string, uri: string, lines: Lines = []) => send('GET /_postern/forward', ['Host: postern', 'X-Forwarded-For: 203.0.113.7', 'X-Forwarded-Host: api.example', 'X-Forwarded-Proto: https', `X-Forwarded-Method: ${method}`, `X-Forwarded-Uri: ${uri}`, ...lines]),
  nginx: (method: string, uri: string, lines: Lines = []) => send('GET /_postern/nginx', ['Host: postern', 'X-Forwarded-For: 203.0.113.7', `X-Original-URL: https://api.example${uri}`, `X-Original-Method: ${method}`, ...lines]),
  envoy: (method: string, uri: string, lines: Lines = []) => send(`${method} /_postern/envoy${uri}`, ['Host: api.example', 'X-Forwarded-For: 203.0.113.7', 'X-Forwarded-Proto: https', ...(method === 'GET' ? [] : ['Content-Length: 0']), ...lines]),
} as const

const DIALECTS = Object.keys(asks) as (keyof typeof asks)[]

const codeOf = ({ body }: RawAnswer): unknown => (JSON.parse(body) as { code?: unknown }).code

describe.each(DIALECTS)('the %s dialect', (dialect) => {
  const ask = asks[dialect]
  const folds = (status: number): number => (dialect === 'nginx' && status !== 401 ? 403 : status)

  it('lets a known user pass with exactly 200, no body, and every identity header', async () => {
    const answer = await ask('GET', '/api/orders?x=1', [`Authorization: Bearer ${token}`])
    expect([answer.status, answer.body]).toEqual([200, ''])
    expect([headerOf(answer, 'X-User-Id'), headerOf(answer, 'X-User-Scopes')]).toEqual([['alice'], ['']])
    const [{ request, face }] = postern.events.decided as [(typeof postern.events.decided)[number]]
    expect([face, request?.method, request?.target, request?.client.ip]).toEqual(['forward_auth', 'GET', { scheme: 'https', host: 'api.example', path: '/api/orders', query: 'x=1' }, '203.0.113.7'])
  })

  it('sends nothing besides what the upstream may have', async () => {
    const answer = await ask('GET', '/open/x')
    expect(answer.headers.map(([name]) => name.toLowerCase()).filter((name) => name !== 'connection' && name !== 'keep-alive').toSorted()).toEqual(['content-length', ...(dialect === 'envoy' ? [] : ['authorization', 'x-api-key']), 'x-user-id', 'x-user-scopes'].toSorted())
  })

  it.each([['an anonymous principal', '/maybe/x'], ['an open route', '/open/x']])('empties every identity header for %s, whatever the client claimed', async (_what, path) => {
    const answer = await ask('GET', path, ['X-User-Id: admin', 'X-User-Scopes: all'])
    expect([answer.status, headerOf(answer, 'X-User-Id'), headerOf(answer, 'X-User-Scopes')]).toEqual([200, [''], ['']])
  })

  it.each([
    ['no credential', 'GET', '/api/x', [], 401, 'credential_missing'],
    ['a bad credential', 'GET', '/api/x', ['Authorization: Bearer nonsense'], 401, 'credential_malformed'],
    ['a scope that is missing', 'GET', '/admin/x', ['token'], 403, 'scope_insufficient'],
    ['a network that is not allowed', 'GET', '/inner/x', ['X-Forwarded-For: 198.51.100.1'], 403, 'network_denied'],
    ['keys that cannot be had', 'GET', '/broken/x', ['token'], 503, 'dependency_unavailable'],
    ['no route', 'GET', '/nowhere', ['token'], 404, 'route_not_found'],
    ['a dot segment', 'GET', '/open/../admin/x', [], 400, 'request_ambiguous'],
    ['an encoded slash', 'GET', '/open/%2fadmin', [], 400, 'request_ambiguous'],
    ['two slashes', 'GET', '//open/x', [], 400, 'request_ambiguous'],
    ['a path parameter', 'GET', '/open/;x/admin', [], 400, 'request_ambiguous'],
    ['two credentials', 'GET', '/api/x', ['token', 'token'], 400, 'credential_ambiguous'],
    ['a second spelling of an identity header', 'GET', '/open/x', ['X_User_Id: admin'], 400, 'request_ambiguous'],
    ['a second spelling of a credential header', 'GET', '/open/x', ['X_API_Key: k'], 400, 'request_ambiguous'],
    ['a method override', 'GET', '/open/x', ['X-HTTP-Method-Override: DELETE'], 400, 'request_ambiguous'],
    ['a word for another path', 'GET', '/open/x', ['X-Rewrite-URL: /admin/x'], 400, 'request_ambiguous'],
  ])('refuses %s', async (_what, method, path, lines, status, code) => {
    const tokenIssued = path.startsWith('/broken') ? `${token.split('.')[0]}.${Buffer.from(JSON.stringify({ iss: 'https://idp.invalid', aud: 'api', sub: 'x', exp: 4e9 })).toString('base64url')}.${token.split('.')[2]}` : token
    const answer = await ask(method, path, lines.map((line) => (line === 'token' ? `Authorization: Bearer ${tokenIssued}` : line)))
    expect([answer.status, codeOf(answer)]).toEqual([folds(status), code])
    if (dialect === 'nginx') expect([headerOf(answer, 'X-Auth-Status'), JSON.parse(headerOf(answer, 'X-Auth-Body')[0]!)]).toEqual([[String(status)], JSON.parse(answer.body)])
    if (status === 401) expect(headerOf(answer, 'WWW-Authenticate').length).toBeGreaterThan(0)
    if (status === 503) expect(headerOf(answer, 'Retry-After')).toEqual([expect.stringMatching(/^[1-9]\d*$/)])
    expect(postern.events.decided).toHaveLength(1)
  })

  it('counts a check once, and carries 429 with its Retry-After', async () => {
    const client = `X-Forwarded-For: 203.0.113.${10 + DIALECTS.indexOf(dialect)}`
    const limited = () => send(...limitedBy(dialect, client))
    const first = await limited()
    expect([first.status, headerOf(first, 'RateLimit').length]).toEqual([200, 1])
    expect((await limited()).status).toBe(200)
    const third = await limited()
    expect([third.status, codeOf(third), Number(headerOf(third, 'Retry-After')[0]) > 0]).toEqual([folds(429), 'quota_exceeded', true])
  })

  it('lets a real preflight of a route with a CORS policy pass as nobody, since only the upstream can answer it', async () => {
    const preflight = ['Origin: https://app.example', 'Access-Control-Request-Method: DELETE', 'X-User-Id: admin']
    const answer = await ask('OPTIONS', '/shared/x', preflight)
    expect([answer.status, headerOf(answer, 'X-User-Id')]).toEqual([200, ['']])
    expect((await ask('OPTIONS', '/shared/x', ['Origin: https://app.example'])).status).toBe(401)
    expect((await ask('OPTIONS', '/api/x', preflight)).status).toBe(401)
  })

  it('judges the scheme that the caller names', async () => {
    expect((await ask('GET', '/tls/x')).status).toBe(200)
  })
})

/** One check with the address of its own client. */
function limitedBy(dialect: keyof typeof asks, client: string): [string, Lines] {
  const user = `Authorization: Bearer ${token}`
  if (dialect === 'envoy') return ['GET /_postern/envoy/limited/x', ['Host: api.example', client, user]]
  if (dialect === 'nginx') return ['GET /_postern/nginx', ['Host: p', client, 'X-Original-URL: http://api.example/limited/x', 'X-Original-Method: GET', user]]
  return ['GET /_postern/forward', ['Host: p', client, 'X-Forwarded-Host: a', 'X-Forwarded-Proto: http', 'X-Forwarded-Method: GET', 'X-Forwarded-Uri: /limited/x', user]]
}

const FORWARD = ['X-Forwarded-For: 203.0.113.7', 'X-Forwarded-Host: api.example', 'X-Forwarded-Proto: https', 'X-Forwarded-Method: GET', 'X-Forwarded-Uri: /open/x'] as const
const NGINX = ['X-Forwarded-For: 203.0.113.7', 'X-Original-URL: https://api.example/open/x', 'X-Original-Method: GET'] as const

describe('a request that the caller does not describe is refused, never made up from the check itself', () => {
  it.each(FORWARD.flatMap((line) => [['without', line] as const, ['with a second', line] as const]))('/_postern/forward %s %s', async (how, line) => {
    const lines = how === 'without' ? FORWARD.filter((other) => other !== line) : [...FORWARD, line.startsWith('X-Forwarded-For') ? 'X-Forwarded-For: unknown' : line]
    const answer = await send('GET /_postern/forward', ['Host: postern', ...lines])
    expect(answer.status).toBe(400)
  })

  it.each(NGINX)('/_postern/nginx without %s', async (line) => {
    const answer = await send('GET /_postern/nginx', ['Host: postern', ...NGINX.filter((other) => other !== line)])
    expect([answer.status, headerOf(answer, 'X-Auth-Status')]).toEqual([403, ['400']])
  })

  it.each([
    ['both a URL and a URI', [...NGINX, 'X-Original-URI: /open/x']],
    ['a URI alone', ['X-Forwarded-For: 203.0.113.7', 'X-Original-URI: /open/x', 'X-Original-Method: GET']],
    ['a second URL', [...NGINX, 'X-Original-URL: https://api.example/open/x']],
    ['a URL without a path', ['X-Forwarded-For: 203.0.113.7', 'X-Original-URL: https://api.example', 'X-Original-Method: GET']],
    ['a URL with a user', ['X-Forwarded-For: 203.0.113.7', 'X-Original-URL: https://a@api.example/open/x', 'X-Original-Method: GET']],
    ['a URL made of an absolute target', ['X-Forwarded-For: 203.0.113.7', 'X-Original-URL: http://api.examplehttp://evil.example/open/x', 'X-Original-Method: GET']],
    ['another scheme', ['X-Forwarded-For: 203.0.113.7', 'X-Original-URL: ftp://api.example/open/x', 'X-Original-Method: GET']],
    ['a lower-case method', ['X-Forwarded-For: 203.0.113.7', 'X-Original-URL: https://api.example/open/x', 'X-Original-Method: get']],
    ['only what Traefik sends', [...FORWARD]],
  ])('/_postern/nginx with %s', async (_what, lines) => {
    expect((await send('GET /_postern/nginx', ['Host: postern', ...lines])).status).toBe(403)
  })

  it('/_postern/nginx with a URI, host and scheme', async () => {
    expect((await send('GET /_postern/nginx', ['Host: postern', 'X-Forwarded-For: 203.0.113.7', 'X-Forwarded-Host: api.example', 'X-Forwarded-Proto: https', 'X-Original-URI: /tls/x', 'X-Original-Method: GET'])).status).toBe(200)
  })

  it.each([['/_postern/envoy', 400], ['/_postern/envoy?x=/open/x', 400], ['/_postern/envoy//open/x', 400], ['/_postern/envoy/', 404]])('%s alone', async (target, status) => {
    expect((await send(`GET ${target}`, ['Host: api.example', 'X-Forwarded-For: 203.0.113.7'])).status).toBe(status)
  })

  it('a dialect looks at no header of another', async () => {
    expect((await send('GET /_postern/envoy/admin/x', ['Host: api.example', ...FORWARD])).status).toBe(401)
    const tricked = await send('GET /_postern/forward', ['Host: p', ...FORWARD.slice(0, 4), 'X-Forwarded-Uri: /admin/x', 'X-Original-URL: https://api.example/open/x', 'X-Original-Method: GET'])
    expect(tricked.status).toBe(400)
    // Host and scheme of an Envoy check are those of the request line, not what its client says.
    await send('GET /_postern/envoy/open/x', ['Host: api.example', 'X-Forwarded-For: 203.0.113.7', 'X-Forwarded-Host: other.example'])
    expect(postern.events.decided.at(-1)?.request?.target.host).toBe('api.example')
  })

  it('whoever asks must say for whom: without a client address there is no answer', async () => {
    expect((await send('GET /_postern/envoy/open/x', ['Host: api.example'])).status).toBe(400)
    expect((await send('GET /_postern/envoy/open/x', ['Host: api.example', 'X-Forwarded-For: unknown'])).status).toBe(400)
  })
})

describe('who may ask', () => {
  const from = (localAddress: string, path: string, headers: Record<string, string>): Promise<number> =>
    new Promise((resolve, reject) => httpRequest({ host: '127.0.0.1', port: postern.port, path, headers, localAddress }, (answer) => resolve(answer.resume().statusCode ?? 0)).once('error', reject).end())
  const described = { 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Host': 'a', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Method': 'GET', 'X-Forwarded-Uri': '/open/x' }

  it('an address that is not trusted is refused in every dialect, whatever it says (CVE-2026-40575)', async () => {
    expect(await from('127.0.0.1', '/_postern/forward', described)).toBe(200)
    for (const path of ['/_postern/forward', '/_postern/nginx', '/_postern/envoy/open/x']) expect(await from('127.0.0.2', path, { ...described, 'X-Original-URL': 'http://a/open/x', 'X-Original-Method': 'GET' })).toBe(403)
    expect(postern.events.decided.at(-1)?.decision).toMatchObject({ outcome: 'deny', denial: { code: 'forwarder_untrusted' } })
  })

  it('with a secret, everybody must show exactly that one, and it goes no further', async () => {
    const secret = 'one-secret-of-this-test'
    const guarded = await startChecking(everyAnswer(issuer).replace('client_ip: { trusted_proxies: [127.0.0.1] }', `forward_auth: { secret: ["${secret}", "the-next-secret-of-this-test"] }`))
    try {
      const ask = async (...lines: string[]) => (await send('GET /_postern/forward', ['Host: p', ...FORWARD, ...lines], guarded.port)).status
      expect([await ask(), await ask('X-Postern-Secret: wrong-secret-of-this-test'), await ask(`X-Postern-Secret: ${secret}`, `X-Postern-Secret: ${secret}`)]).toEqual([403, 403, 403])
      expect([await ask(`X-Postern-Secret: ${secret}`), await ask('X-Postern-Secret: the-next-secret-of-this-test')]).toEqual([200, 200])
      const { request } = guarded.events.decided.at(-1)!
      expect([request?.client.ip, request?.headers.has('x-postern-secret')]).toEqual(['203.0.113.7', false])
      // The secret vouches for the caller alone: what stands left of its client was vouched for by nobody.
      await send('GET /_postern/forward', ['Host: p', 'X-Forwarded-For: 192.0.2.1, 203.0.113.7', ...FORWARD.slice(1), `X-Postern-Secret: ${secret}`], guarded.port)
      expect(guarded.events.decided.at(-1)?.request?.client.ip).toBe('203.0.113.7')
    } finally {
      await guarded.close()
    }
  })
})

describe('beside an API, on one listener', () => {
  it('only the three paths are taken, and only when forward-auth is configured', async () => {
    const proxying = (more: string) => everyAnswer(issuer, more).replace('mode: forward_auth', 'upstream: http://127.0.0.1:1')
    const [without, beside, apart] = [await startChecking(proxying('')), await startChecking(proxying('forward_auth: {}')), await startChecking(proxying('forward_auth: { listen: "127.0.0.1:0" }'))]
    try {
      const ask = async (port: number, target = '/_postern/forward') => (await send(`GET ${target}`, ['Host: p', ...FORWARD], port)).status
      expect([await ask(without.port), await ask(beside.port), await ask(apart.port), await ask(apart.checksPort)]).toEqual([404, 200, 404, 200])
      expect([await ask(beside.port, '/_postern/other'), await ask(beside.port, '/_postern/forward/x'), await ask(apart.checksPort, '/open/x')]).toEqual([404, 404, 404])
      expect(apart.events.decided.map(({ face }) => face)).toEqual(['proxy', 'forward_auth', 'forward_auth'])
    } finally {
      await Promise.all([without.close(), beside.close(), apart.close()])
    }
  })
})

describe('the messages of callers', () => {
  it('HEAD is answered like GET, and a body is not looked at', async () => {
    const head = await send('HEAD /_postern/forward', ['Host: p', ...FORWARD])
    expect([head.status, headerOf(head, 'X-User-Id')]).toEqual([200, ['']])
    const [first, second] = await rawRequest(postern.port, `POST /_postern/forward HTTP/1.1\r\nHost: p\r\n${FORWARD.join('\r\n')}\r\nContent-Length: 5\r\n\r\nhelloGET /_postern/forward HTTP/1.1\r\nHost: p\r\n${FORWARD.join('\r\n')}\r\n\r\n`, { answers: 2 })
    expect([first?.status, second?.status]).toEqual([200, 200])
    const chunked = await rawRequest(postern.port, `POST /_postern/forward HTTP/1.1\r\nHost: p\r\n${FORWARD.join('\r\n')}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /_postern/forward HTTP/1.1\r\nHost: p\r\n${FORWARD.join('\r\n')}\r\n\r\n`, { answers: 2 })
    expect(chunked.map(({ status }) => status)).toEqual([200, 200])
  })

  it('an upgrade that a caller passes on is a question about one, not a wish for one', async () => {
    const answer = await send('GET /_postern/forward', ['Host: p', ...FORWARD, 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'])
    expect([answer.status, postern.events.decided.at(-1)?.request?.upgrade]).toEqual([200, 'websocket'])
  })

  it('credentials that the upstream shall not see are not returned, and Envoy is told to remove them', async () => {
    const envoy = await asks.envoy('GET', '/api/x', [`X-API-Key: ${PARTNER_KEY}`])
    expect([envoy.status, headerOf(envoy, 'x-envoy-auth-headers-to-remove')[0]?.split(',').toSorted(), headerOf(envoy, 'X-API-Key')]).toEqual([200, ['authorization', 'x-api-key'], []])
    const forward = await asks.forward('GET', '/api/x', [`Authorization: Bearer ${token}`, 'Accept: x'])
    expect([headerOf(forward, 'Authorization'), headerOf(forward, 'X-API-Key')]).toEqual([[''], ['']])
    // On an open route nothing was consumed, so what callers replace is given back.
    expect(headerOf(await asks.forward('GET', '/open/x', ['Authorization: Basic eDp5']), 'Authorization')).toEqual(['Basic eDp5'])
  })
})
