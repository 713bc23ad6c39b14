import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { binaryOf, freePort, type Server, start } from '../processes.ts'
import { asking, type Peer, type Setting, showing } from '../target.ts'
import { AUDIENCE, ISSUER } from '../tokens.ts'

/** Where distributions keep its modules; `POSTERN_BENCH_APACHE_MODULES` names another place. */
const MODULES = process.env['POSTERN_BENCH_APACHE_MODULES'] ?? '/usr/lib/apache2/modules'

const LOADED = { mpm_event: 'mpm_event', authz_core: 'authz_core', authn_core: 'authn_core', authz_user: 'authz_user', proxy: 'proxy', proxy_http: 'proxy_http', headers: 'headers' }

async function startApache(binary: string, { directory, upstreamPort }: Setting, more: string): Promise<Server> {
  const port = await freePort()
  const at = join(directory, `apache-${port}`)
  mkdirSync(at, { recursive: true })
  writeFileSync(join(at, 'apache.conf'), `ServerRoot ${at}
DefaultRuntimeDir ${at}
PidFile ${at}/pid
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
ErrorLog /dev/null
${process.getuid?.() === 0 ? 'User nobody\nGroup nogroup' : ''}
${Object.entries(LOADED).filter(([, file]) => existsSync(`${MODULES}/mod_${file}.so`)).map(([name, file]) => `LoadModule ${name}_module ${MODULES}/mod_${file}.so`).join('\n')}
StartServers 1
ServerLimit 1
ThreadsPerChild 64
ThreadLimit 64
MaxRequestWorkers 64
MinSpareThreads 1
MaxSpareThreads 64
KeepAlive On
KeepAliveTimeout 600
MaxKeepAliveRequests 0
ProxyRequests Off
ProxyPass / http://127.0.0.1:${upstreamPort}/ keepalive=On enablereuse=On
${more}
`)
  return start({ port, command: [binary, '-f', join(at, 'apache.conf'), '-DFOREGROUND'] })
}

/** Of key files it reads RSA keys alone. */
const verifying = (pem: string): string => `LoadModule auth_openidc_module ${MODULES}/mod_auth_openidc.so
OIDCOAuthVerifyCertFiles bench#${pem}
OIDCOAuthRemoteUserClaim sub
<Location />
  AuthType oauth20
  <RequireAll>
    Require claim iss:${ISSUER}
    Require claim aud:${AUDIENCE}
  </RequireAll>
</Location>`

/** Apache with one process of 64 threads: bare, and with mod_auth_openidc as a resource server that verifies tokens itself. */
export function apache(setting: Setting): Peer | undefined {
  const binary = binaryOf('apache2') ?? binaryOf('httpd')
  if (binary === undefined || !existsSync(`${MODULES}/mod_proxy_http.so`)) return undefined
  return {
    version: /Apache\/\S+/.exec(spawnSync(binary, ['-v'], { encoding: 'utf8' }).stdout)?.[0] ?? '',
    targets: [
      { name: 'apache bare', what: 'mod_proxy_http, no authentication', kind: 'bare', warms: false, send: asking(), start: () => startApache(binary, setting, '') },
      ...(existsSync(`${MODULES}/mod_auth_openidc.so`)
        ? [{ name: 'apache mod_auth_openidc', what: 'RS256 token, verified each time', warms: false, ...showing(setting.issued.rs256.token), start: () => startApache(binary, setting, verifying(setting.issued.rs256.pem)) } as const]
        : []),
    ],
  }
}
