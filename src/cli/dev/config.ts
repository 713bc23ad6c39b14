import { stringify } from 'yaml'
import type { DevState } from './state.ts'

export interface DevConfigOptions {
  readonly state: DevState
  readonly upstream: string
  readonly port: number
  /** Origin of the local issuer. */
  readonly issuerOrigin: string
}

/** Requests per minute and user: low, so that a short loop shows a 429. */
export const DEMO_LIMIT = 20

/** The config of a dev run, as an operator would write it: it goes through the same door as any other. */
export function devConfig({ state, upstream, port, issuerOrigin }: DevConfigOptions): string {
  return stringify({
    version: 1,
    listen: `127.0.0.1:${port}`,
    ops: '127.0.0.1:0',
    upstream,
    client_ip: { direct: true },
    auth: [
      { jwt: { issuer: state.issuer, audience: state.audience, jwks_url: `${issuerOrigin}/jwks.json`, algorithms: ['ES256'] } },
      { api_keys: { in: [{ header: 'X-API-Key' }], keys: [{ id: 'dev-key', value: state.apiKey, subject: 'dev-service' }] } },
    ],
    identity: { 'X-User-Id': 'sub' },
    rate_limit: [{ name: 'demo', key: 'principal', limit: `${DEMO_LIMIT}/minute` }],
    drain: { delay: 0, timeout: '2s' },
    log: { format: 'pretty', level: 'warn' },
    audit: 'off',
    reload: { watch: false },
  })
}
