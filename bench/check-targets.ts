import { join } from 'node:path'
import { runChecks } from './grpc-load.ts'
import { JWT, type PosternKind, startPostern } from './postern.ts'
import { freePort, NODE, start } from './processes.ts'
import { asking, bearer, type Setting, type Target } from './target.ts'

const CLIENT = 'X-Forwarded-For: 203.0.113.7'

/** What nginx sends, with the snippet that is shipped, about one request of a known user. */
const NGINX = ['X-Original-URL: http://api.example/api/orders/1', 'X-Original-Method: GET', CLIENT]
/** What Traefik and Caddy send. */
const FORWARD = ['X-Forwarded-Method: GET', 'X-Forwarded-Uri: /api/orders/1', 'X-Forwarded-Host: api.example', 'X-Forwarded-Proto: http', CLIENT]

/** Forward-auth decisions by dialect, and an empty answer of bare node:http to the same bytes. */
export function checkTargets(setting: Setting): Target[] {
  const { token, jwks } = setting.issued
  const starting = (kind: Partial<PosternKind> = {}): Target['start'] => () => startPostern(setting, { auth: JWT(jwks), mode: 'forward', ...kind })
  const check = { kind: 'check', warms: true } as const
  const nginx = asking({ path: '/_postern/nginx', headers: [...NGINX, bearer(token)] })
  return [
    { kind: 'answer', warms: true, name: 'node:http empty', what: 'answers 200 to the bytes of a check', send: nginx, start: async () => {
      const port = await freePort()
      return start({ port, command: [NODE, join(import.meta.dirname, 'bare.ts'), String(port)] })
    } },
    { ...check, name: 'postern forward-auth', what: 'check of nginx about the same request', start: starting(), send: nginx },
    { ...check, name: 'postern forward-auth, forward', what: 'check of Traefik or Caddy', start: starting(), send: asking({ path: '/_postern/forward', headers: [...FORWARD, bearer(token)] }) },
    { ...check, name: 'postern forward-auth, Envoy', what: 'check of Envoy over HTTP', start: starting(), send: asking({ path: '/_postern/envoy/api/orders/1', headers: [CLIENT, bearer(token)] }) },
    { ...check, name: 'postern forward-auth, gRPC', what: 'check of Envoy over gRPC', send: (port, requests) => runChecks(token, port, requests), start: async () => {
      const grpcPort = await freePort()
      const server = await starting({ grpcPort })()
      return { ...server, port: grpcPort }
    } },
  ]
}
