import { copyFileSync } from 'node:fs'
import { request } from 'node:https'
import { request as plainRequest } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { caddySnippet } from '../../src/cli/snippets/caddy.ts'
import { envoySnippet } from '../../src/cli/snippets/envoy.ts'
import { factsOf, type Snippet, type SnippetFacts } from '../../src/cli/snippets/facts.ts'
import { haproxySnippet } from '../../src/cli/snippets/haproxy.ts'
import { nginxSnippet } from '../../src/cli/snippets/nginx.ts'
import { traefikSnippet } from '../../src/cli/snippets/traefik.ts'
import { compile } from '../../src/config/compile.ts'
import { createResources } from '../../src/config/resources.ts'
import { SILENT } from '../../src/model/event.ts'
import { exchange } from '../support/callers/client.ts'
import { TRAEFIK_STATIC } from '../support/callers/emulated.ts'
import { call, checkRequest } from '../support/callers/ext-authz.ts'
import { missing, portOf, programOf, startProgram } from '../support/callers/process.ts'
import { CADDY_MAIN, NGINX_MAIN } from '../support/callers/real.ts'
import { type Authority, createAuthority, type Pair } from '../support/certificates.ts'
import { everyAnswer, startChecking, type Checking } from '../support/checking-postern.ts'
import { type EchoUpstream, startEchoUpstream } from '../support/echo-upstream.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { freePort } from '../support/running-postern.ts'

let issuer: Issuer
let authority: Authority
let server: Pair
let open: (() => Promise<void>)[] = []

beforeAll(async () => {
  issuer = await startIssuer()
  authority = createAuthority()
  server = authority.issue('postern', 'DNS:localhost', 'IP:127.0.0.1')
})
afterAll(async () => void (await Promise.all([issuer.close(), authority.close()])))
afterEach(async () => {
  for (const close of open) await close()
  open = []
})

const tls = (more = '', { certificateFile, keyFile }: Pick<Pair, 'certificateFile' | 'keyFile'> = server): string => `tls: { certificate: ${certificateFile}, key: ${keyFile}${more} }`

/** A Postern that answers checks on a listener of its own, and over gRPC, both with these settings of TLS. */
async function started(settings = tls(), port = 0, grpcPort = 0): Promise<Checking> {
  const text = everyAnswer(issuer, `forward_auth: { listen: { address: "127.0.0.1:${port}", ${settings} }, grpc: { address: "127.0.0.1:${grpcPort}", ${settings} } }\n`).replace('mode: forward_auth', 'upstream: http://127.0.0.1:1')
  const postern = await startChecking(text)
  open.push(postern.close)
  return postern
}

const CHECK = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-host': 'api.example', 'x-forwarded-proto': 'https', 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/open/x' }

/** Status of a check over HTTP, and the certificate that was shown; 0 when there is no answer. */
const ask = (port: number, client: object = {}): Promise<readonly [status: number, common: string]> =>
  new Promise((resolve) => {
    request({ host: '127.0.0.1', port, path: '/_postern/forward', headers: CHECK, agent: false, ca: authority.ca, ...client }, (answer) => {
      answer.resume()
      resolve([answer.statusCode ?? 0, (answer.socket as unknown as { getPeerCertificate: () => { subject: { CN: string } } }).getPeerCertificate().subject.CN])
    }).once('error', () => resolve([0, ''])).end()
  })

const callTls = async (port: number, client: object = {}): Promise<number | string> => call(port, checkRequest({}), { tls: { ca: authority.ca, ...client } }).then(({ grpcStatus, denied }) => denied?.status ?? `grpc ${grpcStatus}`, () => 0)

describe('checks over TLS', () => {
  it('are answered over HTTP and gRPC, and not without TLS', async () => {
    const postern = await started()
    expect([await ask(postern.checksPort), await callTls(postern.grpcPort)]).toEqual([[200, 'postern'], 'grpc 0'])
    const plain = await new Promise((resolve) => plainRequest({ host: '127.0.0.1', port: postern.checksPort, path: '/_postern/forward', headers: CHECK, agent: false }, (answer) => resolve(answer.statusCode)).once('error', () => resolve('nothing')).end())
    expect([plain === 200, await call(postern.grpcPort, checkRequest({})).catch(() => 'nothing')]).toEqual([false, 'nothing'])
  })

  it.each([
    ['required', 0, 0],
    ['optional', 200, 'grpc 0'],
  ] as const)('with client certificates %s, one that is missing gives %s, a good one passes and a bad one never does', async (kind, over, grpc) => {
    const postern = await started(tls(`, client_ca: ${authority.caFile}, client_certificate: ${kind}`))
    const mine = authority.issue('caller', 'DNS:caller')
    const others = createAuthority()
    const bad = others.issue('caller', 'DNS:caller')
    await others.close()
    const shown = ({ certificate, key }: Pair) => ({ cert: certificate, key })
    expect([(await ask(postern.checksPort))[0], await callTls(postern.grpcPort)]).toEqual([over, grpc])
    expect([(await ask(postern.checksPort, shown(mine)))[0], await callTls(postern.grpcPort, shown(mine))]).toEqual([200, 'grpc 0'])
    expect([(await ask(postern.checksPort, shown(bad)))[0], await callTls(postern.grpcPort, shown(bad))]).toEqual([0, 0])
  })

  it('use a new certificate as soon as it is there, without a restart', async () => {
    const live = { certificateFile: join(authority.directory, 'live.pem'), keyFile: join(authority.directory, 'live.key') }
    copyFileSync(server.certificateFile, live.certificateFile)
    copyFileSync(server.keyFile, live.keyFile)
    const postern = await started(tls('', live))
    expect((await ask(postern.checksPort))[1]).toBe('postern')
    const next = authority.issue('renewed', 'DNS:renewed', 'IP:127.0.0.1')
    copyFileSync(next.keyFile, live.keyFile)
    copyFileSync(next.certificateFile, live.certificateFile)
    await expect.poll(async () => (await ask(postern.checksPort))[1], { timeout: 5_000 }).toBe('renewed')
    // The listener for gRPC follows as well: this name is in the new one alone.
    await expect.poll(() => callTls(postern.grpcPort, { servername: 'renewed' }), { timeout: 5_000 }).toBe('grpc 0')
  })
})

interface Peer { readonly binary: string; readonly optional?: boolean; /** How it knows Postern: some compare with names alone, some cannot resolve this one. */ readonly host: string; readonly files: (facts: SnippetFacts) => Snippet; readonly command: (folder: string) => readonly string[] }

/** The files of the snippets, with the one place where a distribution would keep the authority changed. */
const PEERS: readonly (readonly [string, Peer])[] = [
  ['nginx', { binary: 'nginx', host: 'localhost', files: (facts) => new Map([...nginxSnippet(facts), ['nginx.conf', NGINX_MAIN]]), command: (folder) => ['nginx', '-e', 'stderr', '-c', `${folder}/nginx.conf`, '-p', folder] }],
  ['Caddy', { binary: 'caddy', host: 'localhost', files: (facts) => new Map([...caddySnippet(facts)].map(([name, text]) => [name, CADDY_MAIN + text])), command: (folder) => ['caddy', 'run', '--config', `${folder}/Caddyfile`, '--adapter', 'caddyfile'] }],
  ['HAProxy', { binary: 'haproxy', host: 'localhost', files: haproxySnippet, command: (folder) => ['haproxy', '-db', '-f', `${folder}/haproxy.cfg`] }],
  ['Traefik', { binary: 'traefik', optional: true, host: 'localhost', files: (facts) => new Map([...traefikSnippet(facts), ['traefik.yaml', TRAEFIK_STATIC(facts)]]), command: (folder) => [programOf('traefik'), `--configFile=${folder}/traefik.yaml`] }],
  ['Envoy', { binary: 'envoy', optional: true, host: '127.0.0.1', files: ({ grpc: _grpc, ...facts }) => envoySnippet(facts), command: (folder) => [programOf('envoy'), '--use-dynamic-base-id', '-c', `${folder}/envoy.yaml`] }],
  ['Envoy over gRPC', { binary: 'envoy', optional: true, host: 'localhost', files: (facts) => new Map([...envoySnippet(facts)].map(([file, config]) => [file, config.replace('address: localhost', 'address: 127.0.0.1')])), command: (folder) => [programOf('envoy'), '--use-dynamic-base-id', '-c', `${folder}/envoy.yaml`] }],
]

describe.each(PEERS.filter(([, { binary, optional }]) => !missing(binary, { optional: optional === true })))('%s with its snippet', (product, peer) => {
  let upstream: EchoUpstream
  beforeAll(async () => {
    upstream = await startEchoUpstream()
  })
  afterAll(() => upstream.close())

  const factsFor = async ({ config }: Checking): Promise<SnippetFacts> => {
    const resources = createResources({ clock: Date.now, observer: SILENT })
    resources.begin()
    const { authenticators, gateway } = compile(config, resources)
    await resources.closeAll()
    const [port, grpcPort] = [config.forward_auth?.listen, config.forward_auth?.grpc].map((listener) => (listener && 'address' in listener ? listener.address.port : 0))
    const facts = factsOf({ config, wire: gateway.wire, authenticators: [...authenticators.values()].map(({ authenticator }) => authenticator), version: 'test', overrides: { postern: `${peer.host}:${port}`, api: `127.0.0.1:${upstream.port}`, listen: `127.0.0.1:${await freePort()}` } })
    return { ...facts, grpc: `${peer.host}:${grpcPort}` }
  }

  let output = (): string => ''
  const passes = async (certificates: Pair): Promise<number> => {
    const postern = await started(tls('', certificates), await freePort(), await freePort())
    const facts = await factsFor(postern)
    const files = new Map([...peer.files(facts)].map(([name, text]) => [name, text.replace(/\/etc\/\w+\/postern-ca.pem/, authority.caFile).replace('lua-load /etc/haproxy/', 'lua-load @FOLDER@/')]))
    const caller = await startProgram({ files, command: peer.command, port: portOf(facts) })
    open.unshift(caller.close)
    output = caller.output
    const get = async (path: string): Promise<number> => (await exchange(caller.port, `GET ${path} HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n`)).status
    // Traefik takes connections before it has read its routers.
    await expect.poll(() => get('/nowhere/x').catch(() => 0), { timeout: 5_000 }).toBeGreaterThan(0)
    let status = await get('/open/x')
    for (let tries = 0; status === 404 && tries < 40; tries += 1) [status] = [await get('/open/x'), await new Promise((resolve) => setTimeout(resolve, 50))]
    return status
  }

  it('asks over TLS', async () => expect(await passes(server), output()).toBe(200))

  // Once for each way to compare.
  it.skipIf(!['nginx', 'Caddy', 'Envoy over gRPC'].includes(product))('asks nobody whose certificate is of another authority', async () => {
    const others = createAuthority()
    const impostor = others.issue('postern', 'DNS:localhost', 'IP:127.0.0.1')
    const before = upstream.seen.length
    expect(await passes(impostor)).toBeGreaterThanOrEqual(500)
    expect(upstream.seen.length).toBe(before)
    await others.close()
  })
})
