import { describe, expect, it } from 'vitest'
import { configurationDocument, documentedPaths, schemaDocument } from './document.ts'
import { SHORT_KINDS } from './short-form.ts'

const page = configurationDocument()

/** A small reader of the one JSON Schema keyword that matters for typos: which keys a map may have. */
function allows(schema: unknown, path: readonly string[]): boolean {
  const [key, ...rest] = path
  if (typeof schema !== 'object' || schema === null) return false
  const { properties, items, anyOf, oneOf, additionalProperties } = schema as Record<string, unknown>
  if (key === undefined) return true
  const alternatives = [...(Array.isArray(anyOf) ? anyOf : []), ...(Array.isArray(oneOf) ? oneOf : [])] as unknown[]
  if (alternatives.some((choice) => allows(choice, path))) return true
  if (key === '[]') return allows(items, rest)
  const own = (properties as Record<string, unknown> | undefined)?.[key]
  return own === undefined ? typeof additionalProperties === 'object' && allows(additionalProperties, rest) : allows(own, rest)
}

describe('configurationDocument', () => {
  it('names every key that the parser knows', () => {
    const missing = documentedPaths().filter((path) => !path.startsWith('authenticators') && path !== 'auth' && !path.startsWith('auth[]') && !page.includes(`| \`${path}\` |`))
    expect(missing).toEqual([])
  })

  it('has a section for every kind of authenticator', () => {
    for (const kind of Object.keys(SHORT_KINDS)) expect(page).toContain(`### \`${kind}\``)
  })

  it('says what every key means', () => {
    const rows = page.split('\n').filter((line) => line.startsWith('| `'))
    expect(rows.filter((row) => row.endsWith('|  |'))).toEqual([])
  })

  it('writes defaults as a user would', () => {
    expect(page).toContain('| `drain.delay` | duration | `5s` |')
    expect(page).toContain('| `max_body` | size | `10GiB` |')
    expect(page).toContain('| `listen` | address or map | `127.0.0.1:8080` |')
    expect(page).toContain('| `upstreams.*.url` | upstream url | required |')
  })
})

describe('schemaDocument', () => {
  const schema = schemaDocument()

  it('is JSON Schema 2020-12 that knows both the short and the long form', () => {
    expect(schema['$schema']).toBe('https://json-schema.org/draft/2020-12/schema')
    for (const path of [['upstream'], ['upstream', 'url'], ['upstreams', 'api', 'timeout'], ['auth', '[]', 'jwt', 'issuer'], ['auth', '[]', 'api_keys', 'header'], ['auth', '[]', 'api_keys', 'name'], ['authenticators', 'x', 'issuer'], ['routes', '[]', 'match', 'path']]) expect(allows(schema, path), path.join('.')).toBe(true)
  })

  it('knows no other key', () => {
    for (const path of [['upstreem'], ['auth', '[]', 'jwt', 'isuer'], ['auth', '[]', 'jwt', 'type'], ['routes', '[]', 'paths']]) expect(allows(schema, path), path.join('.')).toBe(false)
  })

  it('needs nothing but the version', () => {
    expect(schema['required']).toEqual(['version'])
  })
})
