import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { NO_NETWORKS } from '../../base/cidr.ts'
import type { Config } from '../../config/schema.ts'
import { createUpstreamPools } from '../../faces/proxy/pools.ts'
import { createProxyFace } from '../../faces/proxy/server.ts'
import { SILENT } from '../../model/event.ts'
import type { Gateway } from '../../model/gateway.ts'
import type { Principals } from '../../model/principal.ts'
import type { RequestDescription } from '../../model/request.ts'
import type { Route } from '../../model/route.ts'
import { mutate } from '../../pipeline/mutate.ts'
import { listenerSettings } from '../listener-settings.ts'
import { type Diagnosis, ok, problem } from './diagnosis.ts'

const FORGED = 'forged-by-postern-doctor'
const SPOOFED = '203.0.113.66'

const NOBODY: Principals = { primary: { kind: 'anonymous', authenticatorId: 'doctor' }, byAuthenticator: new Map(), requiredScopes: new Map() }

/** Spellings that some upstream takes for the same header. */
export const spellings = (name: string): readonly string[] => [...new Set([name, name.toLowerCase(), name.toUpperCase(), name.replaceAll('-', '_'), name.toUpperCase().replaceAll('-', '_'), name.replaceAll('-', '.'), name.replace('-', '_')])]

const FORWARDING = ['X-Forwarded-For', 'X-Real-IP', 'Forwarded', 'X-Client-IP', 'True-Client-IP', 'CF-Connecting-IP', 'X_Forwarded_For']

/** A path that a route governs. */
const sample = (pattern: string): string => pattern.split('/').map((segment) => (/[*{]/.test(segment) ? 'x' : segment)).join('/')

/** A route that passes requests on, and a path of it. */
function passingRoute(config: Config, { point }: Gateway): { readonly route: Route; readonly path: string } | undefined {
  const patterns = (config.routes ?? [{ match: { path: ['/**'] } }]).flatMap(({ match }) => match.path)
  for (const path of [...patterns.map(sample), '/']) {
    const asked: RequestDescription = { id: 'doctor', receivedAt: 0, method: 'GET', target: { scheme: 'https', host: 'localhost', path, query: '' }, headers: new Map(), client: { ip: '127.0.0.1', peer: '127.0.0.1', trustedHops: 0, partition: '127.0.0.1' } }
    const match = point.match(asked)
    if (!('outcome' in match) && match.route.answer === undefined) return { route: match.route, path }
  }
  return undefined
}

/** The wire settings of the config with a decision that lets everybody in as nobody: what arrives is what no check has stopped. */
function openGateway(gateway: Gateway, route: Route, port: number): Gateway {
  const { body: _unread, rewrite: _none, ...rest } = route
  const upstreams = [...gateway.upstreams].map(([id, { socketPath: _socket, ca: _ca, serverName: _name, ...settings }]) => [id, { ...settings, key: `doctor ${id}`, origin: `http://127.0.0.1:${port}`, basePath: '' }] as const)
  return {
    ...gateway,
    wire: { ...gateway.wire, trustedProxies: NO_NETWORKS },
    upstreams: new Map(upstreams),
    point: {
      match: () => ({ kind: 'match', route: rest }),
      decide: (asked) => ({ outcome: 'allow', route: rest, principals: NOBODY, mutation: mutate(rest, asked, NOBODY), limits: [], attempts: [] }),
    },
  }
}

function listen(server: Server): Promise<number> {
  // Port 0 on TCP gives an AddressInfo.
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))
}

const send = (port: number, path: string, lines: readonly string[]): Promise<void> =>
  new Promise((resolve) => {
    const asking = request({ host: '127.0.0.1', port, path, headers: ['Host', 'localhost', ...lines], agent: false, timeout: 2_000 }, (answer) => answer.resume().once('close', resolve))
    asking.once('error', () => resolve())
    asking.end()
  })

/**
 * Sends forged identities and addresses through this config, on loopback, to a server of our own in the place of the API, and looks
 * at what arrives there. Nothing leaves the machine and the API hears nothing of it.
 */
export async function selfAttack(config: Config, gateway: Gateway): Promise<readonly Diagnosis[]> {
  const found = passingRoute(config, gateway)
  if (!found || gateway.upstreams.size === 0) return []
  const arrived: string[][] = []
  const api = createServer((incoming, response) => {
    arrived.push(incoming.rawHeaders)
    response.end()
  })
  const port = await listen(api)
  const open = openGateway(gateway, found.route, port)
  const pools = createUpstreamPools({ observer: SILENT, clock: Date.now })
  const { tls: _plain, ...settings } = listenerSettings(config)
  const face = createProxyFace({ gateway: () => open, observer: SILENT, clock: Date.now, pools, listener: { ...settings, address: { host: '127.0.0.1', port: 0 }, proxyProtocol: false } })
  try {
    const address = await face.listen()
    const own = 'port' in address ? address.port : 0
    const names = [...gateway.wire.owned.identity]
    for (const name of names.flatMap(spellings)) await send(own, found.path, [name, FORGED])
    for (const name of names) await send(own, found.path, [name, FORGED, 'Connection', `keep-alive, ${name}`])
    for (const name of FORWARDING) await send(own, found.path, [name, name === 'Forwarded' ? `for=${SPOOFED}` : SPOOFED])
    const leaks = (text: string): readonly string[] => [...new Set(arrived.flatMap((headers) => headers.filter((_name, index) => headers[index + 1]?.includes(text) === true && index % 2 === 0)))]
    return [identityResult(names, leaks(FORGED)), addressResult(leaks(SPOOFED))]
  } finally {
    await face.close()
    await pools.close()
    api.close()
    api.closeAllConnections()
  }
}

const identityResult = (names: readonly string[], leaked: readonly string[]): Diagnosis =>
  leaked.length === 0
    ? ok('forged identities', `${names.join(', ')}: no spelling of them reaches the API`)
    : problem('forged identities', `${leaked.join(', ')} reaches the API with a value that the client chose`, 'Say alias_headers: reject, and report this')

const addressResult = (leaked: readonly string[]): Diagnosis =>
  leaked.length === 0 ? ok('spoofed addresses', 'no forwarding header of a stranger reaches the API') : problem('spoofed addresses', `${leaked.join(', ')} reaches the API with an address that the client chose`, 'Name it in forward.strip, and report this')
