import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { JWT, preparePostern, snippetFiles } from '../postern.ts'
import { binaryOf, freePort, type Server, start, startBoth } from '../processes.ts'
import { asking, type Peer, type Setting, showing } from '../target.ts'
import { AUDIENCE, ISSUER } from '../tokens.ts'

/** Workers are threads of one process; one of them, as everybody else has one. */
async function startEnvoy(binary: string, directory: string, port: number, config: string): Promise<Server> {
  const file = join(directory, `envoy-${port}.yaml`)
  writeFileSync(file, config)
  return start({ port, command: [binary, '-c', file, '--concurrency', '1', '--base-id', String(port), '--disable-hot-restart', '-l', 'error'] })
}

const FILTERS = 'type.googleapis.com/envoy.extensions.filters'

const configOf = (port: number, upstreamPort: number, filters: readonly unknown[]): string => JSON.stringify({
  static_resources: {
    listeners: [{
      name: 'clients',
      address: { socket_address: { address: '127.0.0.1', port_value: port } },
      filter_chains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: {
        '@type': `${FILTERS}.network.http_connection_manager.v3.HttpConnectionManager`,
        stat_prefix: 'clients',
        route_config: { virtual_hosts: [{ name: 'api', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'api' } }] }] },
        http_filters: [...filters, { name: 'envoy.filters.http.router', typed_config: { '@type': `${FILTERS}.http.router.v3.Router` } }],
      } }] }],
    }],
    clusters: [{ name: 'api', type: 'STATIC', connect_timeout: '1s', load_assignment: { cluster_name: 'api', endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: upstreamPort } } } }] }] } }],
  },
})

/** The filter as its manual shows it. It can keep verified tokens, and does so only with `cached`. */
const jwtAuthn = (jwks: string, cached: boolean): unknown => ({
  name: 'envoy.filters.http.jwt_authn',
  typed_config: {
    '@type': `${FILTERS}.http.jwt_authn.v3.JwtAuthentication`,
    providers: { idp: { issuer: ISSUER, audiences: [AUDIENCE], local_jwks: { inline_string: jwks }, claim_to_headers: [{ header_name: 'X-User-Id', claim_name: 'sub' }], ...(cached && { jwt_cache_config: { jwt_cache_size: 10_000 } }) } },
    rules: [{ match: { prefix: '/' }, requires: { provider_name: 'idp' } }],
  },
})

/** Envoy with one worker: bare, with its own jwt_authn, and asking Postern over gRPC as `postern snippet envoy` says. */
export function envoy(setting: Setting): Peer | undefined {
  const binary = binaryOf('envoy')
  if (binary === undefined) return undefined
  const { directory, upstreamPort, issued } = setting
  const shown = showing(issued.token)
  const own = (filters: readonly unknown[]) => async (): Promise<Server> => {
    const port = await freePort()
    return startEnvoy(binary, directory, port, configOf(port, upstreamPort, filters))
  }
  return {
    version: `envoy ${/\/(\d+\.\d+\.\d+)\//.exec(spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? ''}`,
    targets: [
      { name: 'envoy bare', what: 'no authentication, one worker', kind: 'bare', warms: false, send: asking(), start: own([]) },
      { name: 'envoy jwt_authn', what: 'ES256 token, verified each time', warms: false, ...shown, start: own([jwtAuthn(issued.jwksText, false)]) },
      { name: 'envoy jwt_authn, cache', what: 'ES256 token that is remembered', warms: false, ...shown, start: own([jwtAuthn(issued.jwksText, true)]) },
      { name: 'envoy ext_authz, Postern', what: 'asks Postern over gRPC; both together', warms: true, ...shown, start: async () => {
        const [port, grpcPort] = [await freePort(), await freePort()]
        const postern = await preparePostern(setting, { auth: JWT(issued.jwks), mode: 'forward', grpcPort })
        const snippet = snippetFiles(setting, postern, 'envoy', port)['envoy.yaml'] ?? ''
        return startBoth(postern.start, () => startEnvoy(binary, directory, port, snippet))
      } },
    ],
  }
}
