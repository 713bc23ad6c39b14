// Series that a client makes (T56; I10). Repeats CVE-2022-21698 (client_golang), CVE-2023-25151 and CVE-2023-45142 (otelhttp) and
// CVE-2023-47108 (otelgrpc).
import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { rawRequest } from '../support/raw-client.ts'
import { createForge } from './forge.ts'
import { bearer, bytesOf, HANDSHAKE, KEY, startTarget } from './target.ts'

const forge = createForge()
const { look, issuer, attacked } = await startTarget({ publish: [forge.jwk] })

/** Names and labels, without values. */
async function series(): Promise<ReadonlySet<string>> {
  const { body } = await attacked.metrics.expose()
  return new Set(body.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.slice(0, line.lastIndexOf(' '))))
}
const claims = (more: object) => ({ iss: issuer.url, aud: 'api', sub: 'alice', exp: Math.floor(Date.now() / 1_000) + 300, ...more })
const METHODS = ['GET', 'POST', 'PROPFIND', 'PURGE', 'MKCOL', 'REPORT', 'LOCK', 'UNLOCK', 'SEARCH', 'QUERY', 'LINK', 'UNLINK', 'REBIND', 'ACL', 'SOURCE', 'M-SEARCH', 'NOTIFY', 'SUBSCRIBE', 'MERGE', 'CHECKOUT']
const word = (): string => randomBytes(6).toString('hex')

/** One of every kind of request, with everything in it that a client may choose. */
function payloads(methods: readonly string[] = METHODS): readonly string[] {
  const [path, host, agent] = [word(), `${word()}.test`, word()]
  const send = (line: string, ...lines: string[]): string => bytesOf(line, [`Host: ${host}`, `User-Agent: ${agent}`, `X-${word()}: ${word()}`, ...lines, 'Connection: close'])
  const method = methods[Math.floor(Math.random() * methods.length)]!
  return [
    send(`${method} /public/${path}`, `X_User_Id: ${word()}`, `x.user.id: ${word()}`), send(`GET /${path}`), send(`GET /guarded/${path}`), send(`GET /guarded/${path}?${word()}=${word()}`, bearer(forge.token(claims({ sub: word(), jti: word() })))),
    send('GET /guarded/x', bearer(forge.token(claims({}), { alg: 'ES256', kid: word() }))), send('GET /guarded/x', bearer(forge.token(claims({ iss: word() })))), send('GET /guarded/x', bearer(forge.token(claims({}), { alg: word() }))), send('GET /guarded/x', `X-API-Key: ${word()}${word()}`), send('GET /guarded/x', `X-API-Key: ${KEY}`), send('GET /guarded/x', `Authorization: ${word()} ${word()}`),
    send(`GET /public/../${path}`), send(`${word().toUpperCase()} /public/x`), send('GET /public/x', `Connection: ${word()}, x-user-id`), bytesOf(`GET /public/${path}`, [`Host: ${host}`, ...HANDSHAKE, `Sec-WebSocket-Protocol: ${word()}`]), send(`GET /gone/${path}`), send('GET /admin/x', bearer(forge.token(claims({ roles: [word()] })))),
    send('OPTIONS /guarded/x', `Origin: https://${host}`, 'Access-Control-Request-Method: GET'), send('POST /public/x', 'Content-Length: 1, 2'), send('GET /public/x', `Expect: ${word()}`), send('GET /optional/x', 'Authorization: Bearer'),
  ]
}

async function all(requests: readonly string[]): Promise<void> {
  await Promise.all(requests.map((bytes) => rawRequest(attacked.port, bytes, { answers: 1, timeoutMs: 5_000 })))
  await look({ mayStayBehind: true })
}

it('nothing that a client chooses becomes a series', async () => {
  // The first exchange with an upstream, and the first refusal of each kind, make theirs; so do a few methods.
  await all(['GET', 'POST', 'PROPFIND'].flatMap((method) => payloads([method])))
  const before = await series()
  expect(before.size).toBeGreaterThan(50)
  for (let round = 0; round < 15; round += 1) await all(payloads())
  const made = [...(await series())].filter((name) => !before.has(name))
  expect(made).toEqual([])
})

it('no secret and no name of a client stands in them', async () => {
  const text = JSON.stringify([...(await series())])
  for (const secret of [KEY, 'keyholder', 'alice', 'api.test']) expect(text).not.toContain(secret)
})
