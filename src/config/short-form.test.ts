import { describe, expect, it } from 'vitest'
import { authenticator } from './schema-authenticators.ts'
import { SHORT_KINDS, writeOutShortForms } from './short-form.ts'

describe('SHORT_KINDS', () => {
  it('has a short form for every kind of the long form', () => {
    const types = authenticator.options.flatMap((option) => [...option.shape.type.values])
    expect(Object.values(SHORT_KINDS).map(({ type }) => type).toSorted()).toEqual(types.toSorted())
  })
})

describe('writeOutShortForms', () => {
  it('names authenticators after their kind, in order, and keeps everything else', () => {
    const { tree, mistakes } = writeOutShortForms({ version: 1, auth: [{ jwt: { issuer: 'https://a' } }, { api_keys: { header: 'X-Key', file: 'k' } }, 'anonymous'], routes: [{ auth: 'jwt' }] })
    expect(mistakes).toEqual([])
    expect(tree).toEqual({
      version: 1,
      authenticators: { jwt: { type: 'jwt', issuer: 'https://a' }, api_keys: { type: 'api_key', in: [{ header: 'X-Key' }], file: 'k' }, anonymous: { type: 'anonymous' } },
      routes: [{ auth: 'jwt' }],
    })
    expect(Object.keys((tree as { authenticators: object }).authenticators)).toEqual(['jwt', 'api_keys', 'anonymous'])
  })

  it('takes a name of its own, so that a kind may stand twice', () => {
    const { tree } = writeOutShortForms({ auth: [{ jwt: { issuer: 'https://a' } }, { jwt: { name: 'partner', issuer: 'https://b' } }] })
    expect(tree).toEqual({ authenticators: { jwt: { type: 'jwt', issuer: 'https://a' }, partner: { type: 'jwt', issuer: 'https://b' } } })
  })

  it('makes the one upstream the default one, as text or as a map', () => {
    expect(writeOutShortForms({ upstream: 'http://127.0.0.1:1' }).tree).toEqual({ upstreams: { default: { url: 'http://127.0.0.1:1' } } })
    expect(writeOutShortForms({ upstream: { url: 'http://127.0.0.1:1' } }).tree).toEqual({ upstreams: { default: { url: 'http://127.0.0.1:1' } } })
  })

  it.each([
    [['authenticators', 'jwt', 'issuer'], ['auth', 0, 'jwt', 'issuer']],
    [['authenticators', 'jwt'], ['auth', 0, 'jwt']],
    [['authenticators', 'keys', 'in', 0, 'header'], ['auth', 1, 'api_keys', 'header']],
    [['authenticators', 'keys', 'in'], ['auth', 1, 'api_keys', 'header']],
    [['authenticators', 'keys', 'file'], ['auth', 1, 'api_keys', 'file']],
    [['upstreams', 'default', 'url'], ['upstream']],
    [['authenticators'], ['auth']],
    [['rate_limit', 0, 'limit'], ['rate_limit', 0, 'limit']],
  ])('knows that %j was written as %j', (path, written) => {
    const { fileOf } = writeOutShortForms({ upstream: 'http://x', auth: [{ jwt: { issuer: 'x' } }, { api_keys: { name: 'keys', header: 'X-Key', file: 'k' } }] })
    expect(fileOf(path)).toEqual(written)
  })

  it.each([
    [{ auth: [{ apikey: {} }] }, 'auth.0.apikey', 'unknown kind. Did you mean "api_keys"? One of: '],
    [{ auth: [{ api_key: {} }] }, 'auth.0.api_key', 'unknown kind. Did you mean "api_keys"? One of: '],
    [{ auth: [{ constructor: {} }] }, 'auth.0.constructor', 'unknown kind. One of: '],
    [{ auth: [{ jwt: {}, anonymous: {} }] }, 'auth.0', 'expected one kind per entry'],
    [{ auth: [{}] }, 'auth.0', 'expected one kind per entry'],
    [{ auth: [5] }, 'auth.0', 'expected one kind per entry'],
    [{ auth: [{ jwt: 'https://a' }] }, 'auth.0.jwt', 'expected a map of keys'],
    [{ auth: [{ jwt: {} }, { jwt: {} }] }, 'auth.1.jwt', 'another authenticator is called "jwt" already'],
    [{ auth: [{ api_keys: { header: 'X', in: [] } }] }, 'auth.0.api_keys.header', 'stands beside "in"'],
    [{ auth: [{ jwt: { name: 5 } }] }, 'auth.0.jwt.name', 'expected text'],
    [{ auth: [], authenticators: {} }, 'auth', 'stands beside "authenticators"'],
    [{ upstream: 'x', upstreams: {} }, 'upstream', 'stands beside "upstreams"'],
  ])('refuses %j at %s', (source, path, message) => {
    const { mistakes } = writeOutShortForms(source)
    expect(mistakes.map((mistake) => mistake.path.join('.'))).toEqual([path])
    expect(mistakes[0]?.message).toContain(message)
  })
})
