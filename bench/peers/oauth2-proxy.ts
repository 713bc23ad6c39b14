import { spawnSync } from 'node:child_process'
import { binaryOf, freePort, type Server, start } from '../processes.ts'
import { type Peer, type Setting, showing } from '../target.ts'
import { AUDIENCE, ISSUER } from '../tokens.ts'

/** Without discovery it takes RS256 alone. It wants the settings of a login besides, although none happens here. */
async function startProxy(binary: string, { upstreamPort, issued }: Setting): Promise<Server> {
  const port = await freePort()
  return start({ port, env: { GOMAXPROCS: '1' }, command: [
    binary, `--http-address=127.0.0.1:${port}`, `--upstream=http://127.0.0.1:${upstreamPort}`,
    '--provider=oidc', `--oidc-issuer-url=${ISSUER}`, '--skip-oidc-discovery=true', `--oidc-public-key-file=${issued.rs256.pem}`,
    `--login-url=${ISSUER}/authorize`, `--redeem-url=${ISSUER}/token`, `--client-id=${AUDIENCE}`, '--client-secret=bench-secret', '--cookie-secret=0123456789abcdef0123456789abcdef',
    '--email-domain=*', '--oidc-email-claim=sub', '--insecure-oidc-allow-unverified-email=true', '--skip-jwt-bearer-tokens=true', '--api-route=^/api',
    '--request-logging=false', '--auth-logging=false', '--standard-logging=false',
  ] })
}

/** oauth2-proxy on one processor, taking bearer tokens. */
export function oauth2Proxy(setting: Setting): Peer | undefined {
  const binary = binaryOf('oauth2-proxy')
  if (binary === undefined) return undefined
  return {
    version: spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.replace('undefined ', '').trim(),
    targets: [{ name: 'oauth2-proxy', what: 'RS256 token, verified each time', warms: false, ...showing(setting.issued.rs256.token), start: () => startProxy(binary, setting) }],
  }
}
