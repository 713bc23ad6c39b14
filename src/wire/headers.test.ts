import { describe, expect, it } from 'vitest'
import { headerKinds } from './header-kind.ts'
import { connectionTokens, createOwnedHeaders, foldedName, headersOf, isOwned } from './headers.ts'

const OWNED = createOwnedHeaders({ identity: ['X-User-Id', 'X-User-Role'], strip: ['X-Debug', 'X-Internal-*'], credentials: ['X-API-Key'] })

/** Every spelling that some upstream reads as the same name. */
const spellings = (name: string): string[] => [
  name,
  name.toUpperCase(),
  name.toLowerCase(),
  name.replaceAll('-', '_'),
  name.replaceAll('-', '.'),
  name.replace('-', '_'),
  name.replace(/-([^-]*)$/, '.$1'),
  name.replaceAll('-', '~'),
]

const OWNED_NAMES = [
  'X-User-Id', 'X-User-Role', 'X-Debug', 'X-Internal-Anything',
  'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Prefix', 'X-Forwarded-Server', 'X-Forwarded-Port', 'X-Forwarded-Proto', 'X-Forwarded-Scheme',
  'X-Forwarded-Uri', 'X-Forwarded-Method', 'X-Forwarded-User', 'X-Forwarded-Client-Cert', 'Forwarded', 'X-Real-IP', 'X-Host', 'X-Original-URL', 'X-Original-Host',
  'X-Rewrite-URL', 'X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'X-Middleware-Subrequest', 'X-Envoy-Original-Path',
  'X-Accel-Redirect', 'X-Amzn-Oidc-Identity', 'X-Goog-Iap-Jwt-Assertion', 'X-Goog-Authenticated-User-Email', 'X-Auth-Request-User', 'CF-Connecting-IP',
  'True-Client-IP', 'Remote-User', 'Remote-Groups', 'Client-Cert', 'X-Client-IP',
]

describe('headersOf', () => {
  it('keeps every line as sent, in order, under its lower-case name', () => {
    const headers = headersOf(['Host', 'h', 'Authorization', 'Bearer a', 'authorization', 'Bearer b', '__proto__', 'x', 'Constructor', 'y'])
    expect([...headers]).toEqual([['host', ['h']], ['authorization', ['Bearer a', 'Bearer b']], ['__proto__', ['x']], ['constructor', ['y']]])
  })

  it('ignores a name without a value', () => {
    expect(headersOf(['host', 'h', 'x']).size).toBe(1)
  })
})

describe('owned headers', () => {
  it.each(OWNED_NAMES.flatMap((name) => spellings(name).map((spelling) => [spelling, name])))('%s is taken for %s', (spelling) => {
    expect(isOwned(OWNED, spelling)).toBe(true)
    expect(headerKinds(OWNED)(spelling).stripped).toBe(true)
  })

  it.each(['X-User', 'X-User-Ids', 'X-Internal', 'X-Debugger', 'Accept', 'Cookie', 'Authorization', 'X-API-Key', 'X-Middleware-Prefetch', 'Origin', 'X-Requested-With'])('%s belongs to the client', (name) => {
    expect(isOwned(OWNED, name)).toBe(false)
    expect(headerKinds(OWNED)(name).stripped).toBe(false)
  })

  it('_method is an override too', () => {
    expect(isOwned(OWNED, '_method')).toBe(true)
    expect(isOwned(OWNED, '_Method')).toBe(true)
  })

  it.each(['Connection', 'Keep-Alive', 'Proxy-Connection', 'Proxy-Authorization', 'Proxy-Anything', 'TE', 'Trailer', 'Transfer-Encoding', 'Transfer_Encoding', 'Upgrade', 'HTTP2-Settings', 'Expect', 'Host', 'Content-Length', 'Content_Length', 'Content.Length', 'X-Request-Id'])(
    '%s is never copied',
    (name) => {
      expect(headerKinds(OWNED)(name).stripped).toBe(true)
    },
  )

  it.each([
    ['X_API_Key', true], ['X.API.Key', true], ['x-api_key', true], ['X-Api-Key', false], ['X-API-KEY', false], ['Authorization', false], ['X-Api-Keys', false],
  ])('%s is an alias of a credential header: %s', (name, alias) => {
    expect(headerKinds(OWNED)(name).credentialAlias).toBe(alias)
  })

  it('an alias of a header that is read as an assertion and written as an identity is removed, not refused', () => {
    const owned = createOwnedHeaders({ identity: ['X-User-Id'], strip: [], credentials: ['X-API-Key', 'X-User-Id'] })
    expect(['X_User_Id', 'X.User.Id'].map((name) => headerKinds(owned)(name)).map(({ credentialAlias, stripped }) => [credentialAlias, stripped])).toEqual([[false, true], [false, true]])
  })

  it('classifies alike however often and whatever was asked before', () => {
    const kind = headerKinds(OWNED)
    const first = kind('X_User_Id')
    for (let index = 0; index < 5_000; index += 1) kind(`X-Filler-${index}`)
    expect(kind('X_User_Id')).toEqual(first)
    expect(kind(`X-${'a'.repeat(10_000)}`).stripped).toBe(false)
  })
})

describe('connectionTokens', () => {
  it('reads lists, several lines, any case and empty elements', () => {
    expect([...connectionTokens(headersOf(['Connection', 'close, X-User-Id,', 'connection', ' ,X-REAL-IP']))]).toEqual(['close', 'x-user-id', 'x-real-ip'])
    expect(connectionTokens(new Map()).size).toBe(0)
  })
})

describe('foldedName', () => {
  it('maps everything but letters and digits to a dash', () => {
    expect(foldedName('X_User.Id~9')).toBe('x-user-id-9')
  })
})
