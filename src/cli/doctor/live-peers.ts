import { request } from 'node:http'
import type { Config } from '../../config/schema.ts'
import type { SeenPeer } from '../../observe/peer-census.ts'
import { type Diagnosis, ok, warning } from './diagnosis.ts'

const PATIENCE_MS = 2_000

const isCount = (value: unknown): value is number => Number.isInteger(value)

const isSeenPeer = (value: unknown): value is SeenPeer =>
  typeof value === 'object' && value !== null && 'peer' in value && typeof value.peer === 'string' && ['believed', 'ignored', 'refused'].every((kind) => isCount(Reflect.get(value, kind)))

/** The list in an answer of `/peers`; undefined when it is none. */
function peersIn(text: string): readonly SeenPeer[] | undefined {
  try {
    const { peers } = JSON.parse(text) as { readonly peers?: unknown }
    return Array.isArray(peers) && peers.every(isSeenPeer) ? peers : undefined
  } catch {
    return undefined
  }
}

type OpsAddress = Exclude<Config['ops'], 'off'>

const EVERY: ReadonlyMap<string, string> = new Map([['0.0.0.0', '127.0.0.1'], ['::', '::1']])

/** What the running process has seen; undefined when it cannot be asked. */
function askPeers({ host, port, path }: OpsAddress): Promise<readonly SeenPeer[] | undefined> {
  return new Promise((resolve) => {
    const asking = request({ ...(path === undefined ? { host: EVERY.get(host) ?? host, port } : { socketPath: path }), path: '/peers', agent: false, timeout: PATIENCE_MS }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk)).on('end', () => resolve(peersIn(text)))
    })
    asking.once('timeout', () => asking.destroy(new Error('late')))
    asking.once('error', () => resolve(undefined))
    asking.end()
  })
}

const own = (peer: string): string => (peer.startsWith('127.') || peer === '::1' ? ' (this machine: doctor itself asks from there, too)' : '')

function about({ peer, ignored, refused }: SeenPeer, { forward_auth }: Config): readonly Diagnosis[] {
  const trust = `If that is a proxy of yours, add its network to client_ip.trusted_proxies`
  return [
    ...(refused > 0 ? [warning('live peers', `${peer} asked for ${refused} decisions and got none${own(peer)}`, `${forward_auth?.secret ? 'If that is a proxy of yours, have it show forward_auth.secret as X-Postern-Secret' : `${trust}, or give forward_auth a secret and have it show that`}; if not, close the address to it`)] : []),
    ...(ignored > 0 ? [warning('live peers', `${peer} named another client in ${ignored} requests and was not believed: it counts as the client itself${own(peer)}`, `${trust}; if not, it is a client that claims an address, and nothing is to be done`)] : []),
  ]
}

/** Compares who really speaks for clients with who may, by what the running process has seen since it started. Ask before attacking it. */
export async function peersCheck(config: Config): Promise<readonly Diagnosis[]> {
  if (config.ops === 'off') return [ok('live peers', 'not known: ops is off')]
  const peers = await askPeers(config.ops)
  if (!peers) return [warning('live peers', 'the ops listener of this config does not say who connects', 'Run doctor where Postern runs, with the config that it runs with')]
  const found = peers.flatMap((peer) => about(peer, config))
  if (found.length > 0) return found
  const believed = peers.filter((peer) => peer.believed > 0).map(({ peer }) => peer)
  return [ok('live peers', believed.length === 0 ? 'nobody has spoken for another client yet' : `${believed.join(', ')} ${believed.length === 1 ? 'speaks' : 'speak'} for clients, and may`)]
}
