import { describe, expect, it } from 'vitest'
import { replacedHeaders } from './compile-forward-auth.ts'
import { configSchema } from './schema.ts'

const idp = { type: 'jwt', issuer: 'https://idp.example', audience: 'api' }
const keys = { type: 'api_key', in: [{ header: 'X-API-Key' }], keys_csv: '' }
const of = (written: Record<string, unknown>): readonly string[] => replacedHeaders(configSchema.parse({ version: 1, ...written }), []).toSorted()

describe('credential headers that callers replace', () => {
  it.each<[string, Record<string, unknown>, string[]]>([
    ['are those of every authenticator, one that is off for want of a variable included', { authenticators: { idp: { ...idp, in: [{ bearer: true }] }, keys } }, ['authorization', 'x-api-key']],
    ['are none when nothing is ever taken away', { authenticators: { keys }, forward: { credentials: 'keep' } }, []],
    ['are all when one authenticator takes its own away', { authenticators: { keys: { ...keys, credential: 'strip' } }, forward: { credentials: 'keep' } }, ['x-api-key']],
    ['are all when a protected resource takes tokens away', { authenticators: { keys }, forward: { credentials: 'keep' }, routes: [{ mcp: { resource: 'https://api.example', authorization_servers: ['https://idp.example'] } }] }, ['x-api-key']],
    ['are all when only some kinds stay', { authenticators: { keys }, forward: { credentials: { jwt: 'keep' } } }, ['x-api-key']],
  ])('%s', (_what, written, headers) => {
    expect(of(written)).toEqual(headers)
  })
})
