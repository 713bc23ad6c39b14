import { createHash } from 'node:crypto'
import { JWT, type PosternKind, startPostern } from './postern.ts'
import { asking, askingAnew, askingMixed, bearer, type Setting, showing, type Target } from './target.ts'

const KEY = 'key-of-the-benchmark-0123456789abcdef'

/** What answers during the run beside the upstream. */
export interface Beside {
  /** An introspection endpoint. */
  readonly introspectUrl: string
  /** A Redis, where it is installed. */
  readonly redisUrl: string | undefined
}

/** Postern in front of the API, by what it is shown. Three limits, metrics and audit log are on in all of them. */
export function posternTargets(setting: Setting, { introspectUrl, redisUrl }: Beside): Target[] {
  const { token, jwks, mint } = setting.issued
  const starting = (kind: PosternKind): Target['start'] => () => startPostern(setting, kind)
  const guarded = { kind: 'guarded', warms: true, refuses: [{}] } as const
  const jwt = starting({ auth: JWT(jwks) })
  const introspection = `introspection: {url: "${introspectUrl}", client_id: bench, client_secret: bench-secret, cache: {ttl: 300s}}`
  return [
    { ...guarded, name: 'postern jwt', what: 'ES256 token that is remembered', start: jwt, ...showing(token) },
    { ...guarded, name: 'postern jwt, new', what: 'another ES256 token each time', start: jwt, send: askingAnew(mint) },
    { ...guarded, name: 'postern jwt, mixed', what: '1,000 people over the same connections, an id in each request', start: jwt, send: askingMixed(mint) },
    { ...guarded, name: 'postern api key', what: 'key in X-API-Key', start: starting({ auth: `api_keys: {keys: [{id: bench, sha256: ${createHash('sha256').update(KEY).digest('hex')}}]}` }), send: asking({ headers: [`X-API-Key: ${KEY}`] }) },
    { ...guarded, name: 'postern introspection', what: 'answer that is remembered', start: starting({ auth: introspection }), send: asking({ headers: [bearer('opaque-token-of-the-benchmark')] }) },
    ...(redisUrl === undefined ? [] : [{ ...guarded, name: 'postern jwt, Redis', what: 'counters on Redis, whose own time is left out', start: starting({ auth: JWT(jwks), more: `store: ${redisUrl}\n` }), ...showing(token) }]),
    { kind: 'refusal', warms: true, name: 'postern refusal', what: '401, no credential', start: jwt, send: asking({ status: 401 }) },
  ]
}
