import { resolve } from 'node:path'
import { z } from 'zod'
import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'
import { alternativesOf } from './schema-walk.ts'
import { configSchema } from './schema.ts'
import { isSecretSetting } from './secret-settings.ts'
import { shownSettings } from './shown-settings.ts'

const TEXT = `version: 1
listen: "\${LISTEN}"
upstream: "http://\${API_HOST}:3000/base"
admin: { token: "\${ADMIN_TOKEN}" }
authenticators:
  jwt: { type: jwt, in: [{ bearer: true }], issuer: https://issuer.example, audience: "\${AUDIENCE}", jwks_url: "https://issuer.example/jwks?key=abcdefgh" }
  keys: { type: api_key, in: [{ header: X-Api-Key }], keys: [{ value: a-key-in-plain-text, subject: robot, scopes: [read] }, { value: "\${PLAIN}", subject: other }] }
  pat: { type: api_key, in: [{ header: X-Pat }], prefix: [acme_live_], store: "\${KEY_STORE}", pepper: "\${file:pepper.txt}" }
store: redis://:hunter33@redis:6379/2
self_service: { auth: jwt, keys: pat }
identity: { X-User-Id: "{{principal.id}}" }
log: { level: "\${API_TOKEN:-info}" }
audit: "/var/log/a-key-in-plain-text.log"
failed_authentication: { limit: 5/minute }
rate_limit: [{ name: all, limit: 100/minute }]
`
const ENV = { LISTEN: '127.0.0.1:8080', API_HOST: 'api.internal', ADMIN_TOKEN: 'the-admin-token', AUDIENCE: 'orders', PLAIN: 'another-plain-key', KEY_STORE: '/var/lib/keys.db', POSTERN_DRAIN_DELAY: '3s' }

describe('the settings that an operator is shown', () => {
  const readFile = (path: string) => ({ text: path === resolve('postern.yaml') || path === 'postern.yaml' ? TEXT : 'a pepper of sixteen', worldReadable: false })
  const settings = new Map(shownSettings(loadConfig({ file: 'postern.yaml', env: ENV, readFile })).map(({ path, value, origin }) => [path, [value, origin]]))

  it.each([
    ['listen.host', '127.0.0.1', 'postern.yaml:2, ${LISTEN}'],
    ['authenticators.jwt.issuer[0]', 'https://issuer.example', 'postern.yaml:6'],
    ['authenticators.jwt.audience[0]', 'orders', 'postern.yaml:6, ${AUDIENCE}'],
    ['authenticators.keys.keys[0].subject', 'robot', 'postern.yaml:7'],
    ['authenticators.pat.store', '/var/lib/keys.db', 'postern.yaml:8, ${KEY_STORE}'],
    ['self_service.keys', 'pat', 'postern.yaml:10'],
    ['upstreams.default.url', 'http://api.internal:3000/base', 'postern.yaml:3, http://${API_HOST}:3000/base'],
    ['identity.X-User-Id', '{{principal.id}}', 'postern.yaml:11'],
    ['drain.delay', '3000', 'environment POSTERN_DRAIN_DELAY'],
    ['rate_limit[0].limit.windowMs', '60000', 'postern.yaml:15'],
    ['failed_authentication.key', 'client_ip', 'default'],
    ['rate_limit[0].shadow', 'false', 'default'],
    ['drain.timeout', '20000', 'default'],
  ])('have %s as %s, from %s', (path, value, origin) => {
    expect(settings.get(path)).toEqual([value, origin])
  })

  it.each([
    ['a secret by its nature', 'admin.token', '(hidden)'],
    ['a key that is written out', 'authenticators.keys.keys[0].value', '(hidden)'],
    ['a key from a variable of an ordinary name', 'authenticators.keys.keys[1].value', '(hidden)'],
    ['what came from a file', 'authenticators.pat.pepper', '(hidden)'],
    ['what came from a variable that is called like a secret', 'log.level', '(hidden)'],
    ['what has a secret of another setting in it', 'audit', '(hidden)'],
    ['the password of a store', 'store', 'redis://(hidden)@redis:6379/2'],
    ['a query', 'authenticators.jwt.jwks_url', 'https://issuer.example/jwks?(hidden)'],
  ])('never have %s', (_what, path, shown) => {
    expect(settings.get(path)?.[0]).toBe(shown)
  })

  it('have no secret anywhere', () => {
    expect(JSON.stringify([...settings])).not.toMatch(/hunter|the-admin-token|a-key-in|another-plain|a pepper of|abcdefgh/)
  })
})

/** Keys that are called like secrets and hold none. */
const HARMLESS = new Set(['max_tokens', 'max_token_length', 'key', 'keys', 'keys_csv_subject', 'credential', 'credentials', 'forward.credentials.api_key'])

function keysIn(schema: z.core.$ZodType, path: readonly string[] = [], seen = new Set<z.core.$ZodType>()): readonly (readonly string[])[] {
  return alternativesOf(schema).flatMap((each): readonly (readonly string[])[] => {
    if (seen.has(each)) return []
    const inner = new Set([...seen, each])
    if (each instanceof z.ZodObject) return Object.entries(each.shape).flatMap(([key, member]) => [[...path, key], ...keysIn(member as z.core.$ZodType, [...path, key], inner)])
    if (each instanceof z.ZodRecord) return keysIn(each.valueType as z.core.$ZodType, [...path, 'NAME'], inner)
    return each instanceof z.ZodArray ? keysIn(each.element as z.core.$ZodType, path, inner) : []
  })
}

describe('a setting that is called like a secret', () => {
  const suspicious = keysIn(configSchema).filter((path) => /secret|password|passw|token|pepper|private|credential|api_key|^keys?$|^value$/.test(path.at(-1) ?? ''))
  it('is known to be one, or known to be none', () => {
    expect(suspicious.length).toBeGreaterThan(10)
    expect([...new Set(suspicious.filter((path) => !isSecretSetting(path) && !HARMLESS.has(path.at(-1) ?? '') && !HARMLESS.has(path.join('.'))).map((path) => path.join('.')))]).toEqual([])
  })
})
