import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { forwardAuthTargets } from './forward-auth.ts'
import { freePort, installed, start, type Server } from './processes.ts'

/** Something to measure: how to start it, what to send, what must come back. */
export interface Target {
  readonly name: string
  readonly what: string
  /** Default: a path of the API. */
  readonly path?: string
  readonly headers: readonly string[]
  readonly status: number
  readonly start: () => Promise<Server>
}

export interface Setting { readonly directory: string; readonly upstreamPort: number }

const ROOT = join(import.meta.dirname, '..')

function nginx({ directory, upstreamPort }: Setting): Target {
  return {
    name: 'nginx proxy_pass',
    what: 'no authentication, one worker',
    headers: [],
    status: 200,
    start: async () => {
      const port = await freePort()
      const at = join(directory, 'nginx')
      mkdirSync(at, { recursive: true })
      const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${at}/${kind};`).join(' ')
      writeFileSync(join(at, 'nginx.conf'), `daemon off; worker_processes 1; pid ${at}/pid; error_log /dev/null; events { worker_connections 1024; }
http { access_log off; ${temps} upstream app { server 127.0.0.1:${upstreamPort}; keepalive 64; }
server { listen 127.0.0.1:${port}; keepalive_requests 10000000; location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`)
      return start('nginx', port, ['nginx', '-c', join(at, 'nginx.conf'), '-p', at])
    },
  }
}

function caddy({ directory, upstreamPort }: Setting): Target {
  return {
    name: 'caddy reverse_proxy',
    what: 'no authentication',
    headers: [],
    status: 200,
    start: async () => {
      const port = await freePort()
      const file = join(directory, 'Caddyfile')
      writeFileSync(file, `{\n admin off\n auto_https off\n log {\n  output discard\n }\n}\nhttp://:${port} {\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:${upstreamPort}\n}\n`)
      return start('caddy', port, ['caddy', 'run', '--config', file, '--adapter', 'caddyfile'], { GOMAXPROCS: '1', XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory })
    },
  }
}

/** An ES256 token and the key set that verifies it. */
export function issue(directory: string): { readonly token: string; readonly jwks: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const body = `${encode({ alg: 'ES256', kid: 'bench', typ: 'JWT' })}.${encode({ iss: 'https://idp.example', aud: 'bench', sub: 'user-1', iat: now, exp: now + 7_200, scope: 'read write' })}`
  const signature = sign('sha256', Buffer.from(body), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')
  const jwks = join(directory, 'jwks.json')
  writeFileSync(jwks, JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' }] }))
  return { token: `${body}.${signature}`, jwks }
}

function posternStart({ directory, upstreamPort }: Setting, jwks: string): Target['start'] {
  return async () => {
    const [port, ops] = [await freePort(), await freePort()]
    const file = join(directory, `postern-${port}.yaml`)
    writeFileSync(file, `version: 1
listen: 127.0.0.1:${port}
ops: 127.0.0.1:${ops}
upstream: http://127.0.0.1:${upstreamPort}
auth:
  - jwt: {issuer: https://idp.example, audience: bench, jwks_file: ${jwks}}
rate_limit:
  - {name: hour, key: principal, limit: 1000000000, window: 1h}
audit: ${directory}/audit.log
log: {level: warn}
reload: {watch: false}
client_ip: {direct: true}
`)
    return start('postern', port, [join(ROOT, 'node_modules/.bin/node'), join(ROOT, 'dist/main.js'), 'run', '-c', file], { NODE_ENV: 'production' })
  }
}

/** All targets that can run here; the peers when they are installed. */
export function targets(setting: Setting): Target[] {
  const { token, jwks } = issue(setting.directory)
  const startPostern = posternStart(setting, jwks)
  return [
    ...(installed('nginx') ? [nginx(setting)] : []),
    ...(installed('caddy') ? [caddy(setting)] : []),
    { name: 'postern jwt', what: 'cached ES256 token, one limit, metrics and audit on', headers: [`Authorization: Bearer ${token}`], status: 200, start: startPostern },
    { name: 'postern refusal', what: '401, no credential', headers: [], status: 401, start: startPostern },
    ...forwardAuthTargets(setting, { token, jwks }),
  ]
}
