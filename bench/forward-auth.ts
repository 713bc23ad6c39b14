import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, start } from './processes.ts'
import type { Setting, Target } from './targets.ts'

const ROOT = join(import.meta.dirname, '..')

/** What nginx sends, with the snippet that is shipped, about one request of a known user. */
const check = (token: string): readonly string[] => ['X-Original-URL: http://api.example/api/orders/1', 'X-Original-Method: GET', 'X-Forwarded-For: 203.0.113.7', `Authorization: Bearer ${token}`]

const PATH = '/_postern/nginx'

/** Forward-auth decisions, and an empty answer of bare node:http to the same bytes. */
export function forwardAuthTargets({ directory }: Pick<Setting, 'directory'>, { token, jwks }: { readonly token: string; readonly jwks: string }): Target[] {
  const node = join(ROOT, 'node_modules/.bin/node')
  return [
    {
      name: 'node:http empty', what: 'answers 200 to the bytes of a check', path: PATH, headers: check(token), status: 200,
      start: async () => {
        const port = await freePort()
        return start('bare node:http', port, [node, join(import.meta.dirname, 'bare.ts'), String(port)])
      },
    },
    {
      name: 'postern forward-auth', what: 'cached ES256 token, one limit, metrics and audit on', path: PATH, headers: check(token), status: 200,
      start: async () => {
        const [port, ops] = [await freePort(), await freePort()]
        const file = join(directory, `forward-auth-${port}.yaml`)
        writeFileSync(file, `version: 1
mode: forward_auth
listen: 127.0.0.1:${port}
ops: 127.0.0.1:${ops}
auth:
  - jwt: {issuer: https://idp.example, audience: bench, jwks_file: ${jwks}}
rate_limit:
  - {name: hour, key: principal, limit: 1000000000, window: 1h}
audit: ${directory}/audit-checks.log
log: {level: warn}
reload: {watch: false}
client_ip: {trusted_proxies: [127.0.0.1]}
`)
        return start('postern forward-auth', port, [node, join(ROOT, 'dist/main.js'), 'run', '-c', file], { NODE_ENV: 'production' })
      },
    },
  ]
}
