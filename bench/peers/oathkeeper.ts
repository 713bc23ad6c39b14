import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { binaryOf, freePort, type Server, start } from '../processes.ts'
import { type Peer, type Setting, showing } from '../target.ts'
import { AUDIENCE, ISSUER } from '../tokens.ts'

async function startOathkeeper(binary: string, { directory, upstreamPort, issued }: Setting): Promise<Server> {
  const [port, api] = [await freePort(), await freePort()]
  const [config, rules] = [join(directory, `oathkeeper-${port}.json`), join(directory, `oathkeeper-rules-${port}.json`)]
  writeFileSync(rules, JSON.stringify([{
    id: 'api', version: 'v0.40.0',
    upstream: { url: `http://127.0.0.1:${upstreamPort}`, preserve_host: true },
    match: { url: 'http://<.*>/<.*>', methods: ['GET'] },
    authenticators: [{ handler: 'jwt' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'header' }],
  }]))
  writeFileSync(config, JSON.stringify({
    log: { level: 'panic' },
    serve: { proxy: { host: '127.0.0.1', port }, api: { host: '127.0.0.1', port: api }, prometheus: { host: '127.0.0.1', port: await freePort() } },
    access_rules: { repositories: [`file://${rules}`] },
    authenticators: { jwt: { enabled: true, config: { jwks_urls: [`file://${issued.jwks}`], trusted_issuers: [ISSUER], target_audience: [AUDIENCE], allowed_algorithms: ['ES256'] } } },
    authorizers: { allow: { enabled: true } },
    mutators: { header: { enabled: true, config: { headers: { 'X-User-Id': '{{ print .Subject }}' } } } },
  }))
  return start({ port, command: [binary, 'serve', '--config', config], env: { GOMAXPROCS: '1' } })
}

/** Ory Oathkeeper on one processor: jwt authenticator, allow, header mutator. */
export function oathkeeper(setting: Setting): Peer | undefined {
  const binary = binaryOf('oathkeeper')
  if (binary === undefined) return undefined
  return {
    version: `oathkeeper ${/Version:\s*(\S+)/.exec(spawnSync(binary, ['version'], { encoding: 'utf8' }).stdout)?.[1] ?? ''}`,
    targets: [{ name: 'oathkeeper jwt', what: 'ES256 token, verified each time', warms: false, ...showing(setting.issued.token), start: () => startOathkeeper(binary, setting) }],
  }
}
