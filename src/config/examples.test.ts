import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'
import { formatSummary } from './report.ts'

const FOLDER = join(import.meta.dirname, '..', '..', 'config')
const DIGEST = 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'

/** What each of the small examples needs from the environment. */
const NEEDED: Readonly<Record<string, NodeJS.ProcessEnv>> = {
  'minimal.yaml': { API_KEY: 'a-key-of-this-test' },
  'jwt.yaml': { ISSUER: 'https://idp.example.com/', AUDIENCE: 'orders-api' },
  'api-keys.yaml': { BILLING_KEY_SHA256: DIGEST, REPORTS_KEY_SHA256: DIGEST },
}

describe('the small examples', () => {
  it.each(Object.entries(NEEDED))('%s is a config as it stands', (name, env) => {
    const loaded = loadConfig({ file: join(FOLDER, name), env })
    expect(loaded.config.upstreams).toMatchObject({ default: { url: 'http://127.0.0.1:3000' } })
    expect(formatSummary(loaded)).toContain('0 errors')
  })

  it.each(Object.entries(NEEDED))('%s names every variable that it cannot do without', (name, env) => {
    for (const variable of Object.keys(env)) expect(() => loadConfig({ file: join(FOLDER, name), env: { ...env, [variable]: undefined } }), variable).toThrow(`variable ${variable} is not set`)
  })

  it.each(readdirSync(FOLDER).filter((name) => name.endsWith('.yaml')))('%s tells editors where its schema is, on its first line', (name) => {
    expect(readFileSync(join(FOLDER, name), 'utf8').split('\n')[0]).toBe('# yaml-language-server: $schema=./schema.json')
  })
})
