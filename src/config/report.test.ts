import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'
import type { PlacedMistake } from './mistake.ts'
import { formatList, formatMistakes, formatSummary } from './report.ts'

const mistake = (line: number, column: number, path: PlacedMistake['path'], message: string): PlacedMistake => ({ file: 'postern.yaml', line, column, path, message })

describe('formatMistakes', () => {
  it('lines up places and ends with how many there are', () => {
    expect(formatMistakes([mistake(5, 5, ['auth', 0, 'jwt', 'isuer'], 'unknown key. Did you mean "issuer"?'), mistake(10, 12, ['rate_limit', 0, 'limit'], 'x'), { ...mistake(0, 0, ['listen'], 'y'), file: 'env POSTERN_LISTEN' }, mistake(1, 1, [], 'z')])).toBe(
      [
        'postern.yaml:5:5    auth[0].jwt.isuer: unknown key. Did you mean "issuer"?',
        'postern.yaml:10:12  rate_limit[0].limit: x',
        'env POSTERN_LISTEN  listen: y',
        'postern.yaml:1:1    z',
        '4 errors. Nothing was started.',
        '',
      ].join('\n'),
    )
  })

  it('counts one as one, and colours nothing but the count', () => {
    expect(formatMistakes([mistake(1, 1, [], 'z')], { color: true })).toBe('postern.yaml:1:1  z\n\u001B[31m1 error. Nothing was started.\u001B[0m\n')
  })

  it('sends no control character of a config to the terminal', () => {
    expect(formatList([mistake(1, 1, ['a\u001B[2J'], '"\u0007\u009B"')])).toBe('postern.yaml:1:1  ["a\\u001b[2J"]: "\\x07\\x9b"')
  })
})

describe('formatSummary', () => {
  it('has a row for whatever keeps requests out, and one for every limit, those of routes and tiers too', () => {
    const out = summary(`version: 1
upstream: http://127.0.0.1:3000
client_ip: {direct: true}
require_https: true
allowed_networks: [10.0.0.0/8]
denied_networks: [10.6.6.6]
auth:
  - api_keys: {keys: [{value: "\${ON}"}, {value: "\${OFF:-}"}], keys_csv: "\${OFF:-}"}
public: [GET /healthz]
tiers: {free: {limits: [{name: f, limit: 5/minute}]}}
routes:
  - {match: {path: /login, methods: [POST]}, auth: none, require_https: false, rate_limit: [{name: logins, key: client_ip, limit: 3/minute}]}
  - {match: {path: /paid}, rate_limit: tier, allowed_networks: [192.0.2.0/24]}
  - {match: {path: /free}, rate_limit: none}
`, { ON: 'key-one-long' })
    expect(out).toContain('api_keys     1 key\n')
    expect(out).toContain('  public      GET /healthz; 1 route with "auth: none", marked OPEN below\n')
    expect(out).toContain('  limits      none by default\n              on POST /login: logins 3 per minute by client_ip\n              on /paid: those of the tier\n              on /free: none\n              of tier free: f 5 per minute by principal\n')
    expect(out).toContain('  networks    only 10.0.0.0/8, never 10.6.6.6\n              on /paid: only 192.0.2.0/24\n')
    expect(out).toContain('  https       required, not required on POST /login\n')
  })

  /** The golden files of test/golden/config show whole summaries. */
  const summary = (text: string, env: NodeJS.ProcessEnv = {}): string => formatSummary(loadConfig({ file: 'postern.yaml', env, readFile: () => ({ text, worldReadable: false }) }))

  it('shows no secret: of a referred URL the origin, of keys how many there are', () => {
    const text = 'version: 1\nupstream: ${URL}\nclient_ip: {direct: true}\nauth:\n  - api_keys: {keys: [{value: "${KEY}"}], keys_csv: "${CSV}"}\n  - jwt: {issuer: https://a.example, audience: o, secret: "${SECRET}"}\n'
    const out = summary(text, { URL: 'http://127.0.0.1:3000/token-in-path', KEY: 'key-one-long', CSV: 'key-two-long,key-three-long', SECRET: 'hs-secret-hs-secret-hs-secret-hs-secret' })
    expect(out).not.toMatch(/token-in-path|key-one|key-two|hs-secret/)
    expect(out).toContain('1 key, 2 keys from a list')
    expect(out).toContain('upstream    http://127.0.0.1:3000\n')
    expect(out).toContain('HS256')
  })

  it('says loudly which routes are open', () => {
    expect(summary('version: 1\nupstream: http://127.0.0.1:3000\nclient_ip: {direct: true}\nroutes: [{match: {path: /a}, auth: none}]\n')).toContain('/a   OPEN to everybody')
  })
})
