import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDataFaces } from '../../src/cli/data-faces.ts'
import { compile } from '../../src/config/compile.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createResources } from '../../src/config/resources.ts'
import type { Config } from '../../src/config/schema.ts'
import { createUpstreamPools } from '../../src/faces/proxy/pools.ts'
import { recordingObserver } from './gateway.ts'
import type { Issuer } from './issuer.ts'

/** A whole Postern in this process that answers checks. */
export interface Checking {
  readonly port: number
  /** Of the listener for checks alone, where there is one. */
  readonly checksPort: number
  /** Of the listener for gRPC, where there is one. */
  readonly grpcPort: number
  readonly config: Config
  readonly events: ReturnType<typeof recordingObserver>['events']
  readonly close: () => Promise<void>
}

/** Starts Postern from the text of a config, as `postern run` does it: read, checked, compiled, listening. */
export async function startChecking(text: string): Promise<Checking> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-checking-'))
  const file = join(directory, 'postern.yaml')
  writeFileSync(file, text)
  const { observer, events } = recordingObserver()
  const clock = Date.now
  const { config } = loadConfig({ file, env: {} })
  rmSync(directory, { recursive: true })
  const resources = createResources({ clock, observer })
  resources.begin()
  const compiled = compile(config, resources, { revision: 'test' })
  const pools = createUpstreamPools({ observer, clock })
  const faces = createDataFaces({ config, gateway: () => compiled.gateway, observer, clock, pools })
  const { address, checks, grpc } = await faces.listen()
  await Promise.all(compiled.providers.map(({ ready }) => ready()))
  const portOf = (bound: typeof checks): number => (bound && 'port' in bound ? bound.port : 0)
  return {
    port: portOf(address),
    checksPort: portOf(checks),
    grpcPort: portOf(grpc),
    config,
    events,
    close: async () => {
      await faces.close()
      await Promise.all([pools.close(), resources.closeAll()])
    },
  }
}

export const PARTNER_KEY = 'partner-key-of-this-test-0123456789'

/** One config that can give every kind of answer, by path. Nobody listens at the issuer of `/broken`. */
export const everyAnswer = ({ url, jwksUrl }: Pick<Issuer, 'url' | 'jwksUrl'>, more = ''): string => `
version: 1
mode: forward_auth
listen: 127.0.0.1:0
ops: off
client_ip: { trusted_proxies: [127.0.0.1] }
authenticators:
  idp: { type: jwt, issuer: "${url}", jwks_url: "${jwksUrl}", audience: api }
  partner: { type: api_key, in: [{ header: X-API-Key }], keys: [{ id: partner, subject: partner, value: "${PARTNER_KEY}" }] }
  nobody: { type: anonymous }
  unreachable: { type: jwt, issuer: "https://idp.invalid", jwks_url: "http://127.0.0.1:1/jwks", audience: api }
identity: { X-User-Id: "{{principal.id}}", X-User-Scopes: "{{principal.scopes|space}}" }
routes:
  - { name: api, match: { path: /api/** }, auth: { any: [idp, partner] } }
  - { name: maybe, match: { path: /maybe/** }, auth: { any: [idp, nobody] } }
  - { name: open, match: { path: /open/** }, auth: none }
  - { name: admin, match: { path: /admin/** }, auth: idp, scopes: [admin] }
  - { name: limited, match: { path: /limited/** }, auth: idp, rate_limit: [{ name: hourly, key: client_ip, limit: 2/hour }] }
  - { name: broken, match: { path: /broken/** }, auth: unreachable }
  - { name: shared, match: { path: /shared/** }, auth: idp, cors: { origins: ["https://app.example"] } }
  - { name: tls, match: { path: /tls/** }, auth: none, require_https: true }
  - { name: inner, match: { path: /inner/** }, auth: none, allowed_networks: [203.0.113.0/24] }
${more}`
