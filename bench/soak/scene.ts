import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocketServer } from 'ws'
import { type FaultyGate, startFaultyGate } from '../../test/support/faulty-gate.ts'
import { type Issuer, startIssuer } from '../../test/support/issuer.ts'
import { redisInstalled, startRedis } from '../../test/support/redis.ts'
import { freePort } from '../processes.ts'
import { type InspectedPostern, startInspected } from './inspected.ts'

export const ADMIN_TOKEN = 'admin-token-of-this-soak'

/** What can be broken. */
export type Broken = 'upstream' | 'issuer' | 'introspection' | 'redis'

/** Everything around one Postern. */
export interface Scene {
  readonly postern: InspectedPostern
  readonly port: number
  readonly adminPort: number
  /** Value of one series of the metrics. */
  readonly metric: (series: string) => Promise<number>
  readonly issuer: Issuer
  readonly gates: ReadonlyMap<Broken, FaultyGate>
  /** Values of `x-kind` that reached the upstream. */
  readonly reached: ReadonlySet<string>
  /** Writes another good config, of which nothing can be kept from the one before; the process notices by itself. */
  readonly reload: () => void
  readonly spoil: () => void
  readonly close: () => Promise<void>
}

const BIG = Buffer.alloc(256 * 1024, 'x')

interface Listening { readonly port: number; readonly close: () => void }

/** On a free port of loopback. Closing it ends its connections too. */
async function listening(server: Server): Promise<Listening> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** `/quick`, `/big`, `/slow` (80 ms), `/stream` (one second of pieces), `/sink`; an upgrade echoes. */
async function startUpstream(reached: Set<string>): Promise<Listening> {
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    reached.add(String(request.headers['x-kind']))
    response.on('error', () => undefined)
    request.on('error', () => undefined).resume()
    if (path.startsWith('/big')) return void response.end(BIG)
    if (path.startsWith('/slow')) return void setTimeout(() => response.end('slow'), 80)
    if (path.startsWith('/sink')) return void request.on('end', () => response.end('taken'))
    if (!path.startsWith('/stream')) return void response.end('ok')
    let left = 20
    const timer = setInterval(() => {
      response.write('x'.repeat(1_000))
      if ((left -= 1) > 0) return
      clearInterval(timer)
      response.end()
    }, 50)
    response.on('close', () => clearInterval(timer))
  })
  server.keepAliveTimeout = 2_000
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => {
    socket.on('error', () => undefined)
    socket.on('message', (data, binary) => socket.send(data, { binary }))
  })
  return listening(server)
}

/** Says that tokens beginning with `good-` are active. */
async function startIntrospection(): Promise<Listening> {
  const server = createServer((request, response) => {
    let body = ''
    request.on('error', () => undefined)
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const token = new URLSearchParams(body).get('token') ?? ''
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(token.startsWith('good-') ? { active: true, sub: 'user', exp: Math.floor(Date.now() / 1_000) + 600 } : { active: false }))
    })
  })
  return listening(server)
}

interface Ports { readonly listen: number; readonly ops: number; readonly admin: number; readonly gates: ReadonlyMap<Broken, FaultyGate> }

/** `round` is in every setting by which key sets, pools, caches and connections are kept: each reload makes them all anew. */
function configOf({ listen, ops, admin, gates }: Ports, folder: string, issuer: Issuer, round: number): string {
  const portOf = (name: Broken): number => gates.get(name)?.port ?? 0
  return `version: 1
listen: { address: "127.0.0.1:${listen}", headers_timeout: 10s }
ops: 127.0.0.1:${ops}
admin: { listen: "127.0.0.1:${admin}", token: ${ADMIN_TOKEN} }
upstream: { url: "http://127.0.0.1:${portOf('upstream')}", connect_timeout: 5s, timeout: ${5_000 + (round % 500)}ms, idle_timeout: 5s }
client_ip: { trusted_proxies: [127.0.0.1] }
forward_auth: {}
${gates.has('redis') ? `store: { url: "redis://127.0.0.1:${portOf('redis')}", secret: not-really-secret, deadline: ${50 + (round % 50)}ms }\n` : ''}audit: ${join(folder, 'audit.log')}
drain: { delay: 0s, timeout: 3s }
authenticators:
  idp: { type: jwt, issuer: "${issuer.url}", jwks_url: "http://127.0.0.1:${portOf('issuer')}/jwks", audience: api, jwks: { max_age: ${4_000 + (round % 1_000)}ms, cooldown: 1s, timeout: 500ms }, cache: { ttl: 1m, max_entries: 500 } }
  opaque: { type: introspection, url: "http://127.0.0.1:${portOf('introspection')}/introspect", client_id: postern, client_secret: a-secret-of-this-soak, in: [{ header: X-Token }], timeout: ${4_000 + (round % 100)}ms, cache: { ttl: 30s, max_entries: 500 } }
  pat: { type: api_key, in: [{ header: X-API-Key }], store: ${join(folder, 'keys.db')}, pepper: a-pepper-of-this-soak }
routes:
  - { name: all, match: { path: /** }, auth: { any: [idp, opaque, pat] }, rate_limit: [{ name: minute, key: principal, limit: 1000000000/hour }, { name: address, key: client_ip, limit: 1000000000/hour }] }
`
}

/** Starts everything on loopback. Without a `redis-server` limits are counted in memory, and that it cannot be broken is said. */
export async function setScene(): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-soak-'))
  const reached = new Set<string>()
  const issuer = await startIssuer()
  const [upstream, introspection, redis] = [await startUpstream(reached), await startIntrospection(), redisInstalled() ? await startRedis() : undefined]
  const behind: [Broken, number][] = [['upstream', upstream.port], ['issuer', Number(new URL(issuer.url).port)], ['introspection', introspection.port], ...(redis ? [['redis', redis.port] satisfies [Broken, number]] : [])]
  const gates = new Map<Broken, FaultyGate>()
  for (const [name, target] of behind) gates.set(name, await startFaultyGate({ target }))
  const ports: Ports = { listen: await freePort(), ops: await freePort(), admin: await freePort(), gates }
  const file = join(folder, 'postern.yaml')
  let round = 0
  const reload = (): void => writeFileSync(file, configOf(ports, folder, issuer, (round += 1)))
  reload()
  const postern = await startInspected(file)
  return {
    postern, issuer, gates, reached, reload,
    port: ports.listen,
    adminPort: ports.admin,
    metric: async (series) => {
      const text = await (await fetch(`http://127.0.0.1:${ports.ops}/metrics`)).text()
      return Number(text.split('\n').find((line) => line.startsWith(`${series} `))?.split(' ').at(-1) ?? Number.NaN)
    },
    spoil: () => writeFileSync(file, 'version: 1\nupstreem: http://127.0.0.1:9\n'),
    close: async () => {
      await postern.stop()
      await Promise.all([...gates.values()].map((gate) => gate.close()))
      upstream.close()
      introspection.close()
      await Promise.all([issuer.close(), redis?.stop()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
