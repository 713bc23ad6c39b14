import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { binaryOf, freePort, type Server, start } from '../processes.ts'
import { asking, type Peer, type Setting, showing } from '../target.ts'
import { AUDIENCE, ISSUER } from '../tokens.ts'

async function startHaproxy(binary: string, { directory, upstreamPort }: Setting, rules: string): Promise<Server> {
  const port = await freePort()
  const file = join(directory, `haproxy-${port}.cfg`)
  writeFileSync(file, `global
  nbthread 1
  maxconn 1024
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend clients
  bind 127.0.0.1:${port}
${rules}
  default_backend api
backend api
  http-reuse always
  server api 127.0.0.1:${upstreamPort}
`)
  return start({ port, command: [binary, '-db', '-f', file] })
}

/** Everything that its manual asks for: the algorithm, the issuer, the audience, the time, the signature. It keeps no result. */
const verifying = (pem: string): string => `
  http-request set-var(txn.token) http_auth_bearer
  http-request deny deny_status 401 unless { var(txn.token),jwt_header_query('$.alg') -m str ES256 }
  http-request deny deny_status 401 unless { var(txn.token),jwt_payload_query('$.iss') -m str ${ISSUER} }
  http-request deny deny_status 401 unless { var(txn.token),jwt_payload_query('$.aud') -m str ${AUDIENCE} }
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless { var(txn.token),jwt_payload_query('$.exp','int'),sub(txn.now) -m int gt 0 }
  http-request deny deny_status 401 unless { var(txn.token),jwt_verify("ES256","${pem}") 1 }
  http-request set-header X-User-Id %[var(txn.token),jwt_payload_query('$.sub')]`

/** HAProxy with one thread: bare, and with its own `jwt_verify`. */
export function haproxy(setting: Setting): Peer | undefined {
  const binary = binaryOf('haproxy')
  if (binary === undefined) return undefined
  return {
    version: spawnSync(binary, ['-v'], { encoding: 'utf8' }).stdout.split(' ').slice(0, 3).join(' '),
    targets: [
      { name: 'haproxy bare', what: 'no authentication, one thread', kind: 'bare', warms: false, send: asking(), start: () => startHaproxy(binary, setting, '') },
      { name: 'haproxy jwt_verify', what: 'ES256 token, verified each time', warms: false, ...showing(setting.issued.token), start: () => startHaproxy(binary, setting, verifying(setting.issued.pem)) },
    ],
  }
}
