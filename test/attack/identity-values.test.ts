// Identities that break what carries them (T8, T65): subjects of properly signed tokens. Repeats CVE-2026-31908 (APISIX),
// CVE-2026-40574 (oauth2-proxy, several @), CVE-2026-73420 (NextAuth, a look-alike @), and claims found on the prototype.
import { describe, expect, it } from 'vitest'
import { valuesOf } from '../support/strict-http.ts'
import { createForge } from './forge.ts'
import { bearer, bytesOf, startTarget } from './target.ts'

const forge = createForge()
const { attack, token, issuer } = await startTarget({ publish: [forge.jwk] })

const BAD: readonly (readonly [title: string, sub: unknown])[] = [
  ['with CR LF', 'alice\r\nX-Admin: 1'], ['with LF', 'alice\nx'], ['with CR', 'alice\rx'], ['with NUL', 'alice\u0000'], ['with ESC', 'a\u001b[2J'], ['with DEL', 'a\u007f'], ['with a C1 control', 'a\u0085b'],
  ['with a line separator', 'a\u2028b'], ['with a paragraph separator', 'a\u2029b'], ['with blanks in front', ' admin'], ['with blanks behind', 'admin '], ['with a tab', 'a\tb'], ['with a no-break space in front', '\u00a0admin'],
  ['of 256 characters', 'a'.repeat(256)], ['of 100 kB, within a token that is too long', 'a'.repeat(100_000)], ['half a character', 'a\ud800'],
  ['empty', ''], ['blank', '   '], ['"null"', 'null'], ['"undefined"', 'undefined'], ['null', null], ['absent', undefined],
  ['a number', 7], ['zero', 0], ['true', true], ['an array', ['alice']], ['an empty array', []], ['an object', { id: 'alice' }], ['an object that says it is a text', { toString: 'alice' }],
]

describe('a subject', () => {
  it.each(BAD)('%s in a good signature is nobody: 401', async (_title, sub) => {
    const { statuses, arrived } = await attack(bytesOf('GET /guarded/x', [bearer(await token({ sub })), 'Connection: close']), { mayStayBehind: true })
    // A token longer than all headers may be is refused before it is one.
    expect([401, 431]).toContain(statuses[0])
    expect(arrived).toEqual([])
  })

  it.each(BAD)('%s is not anonymous either', async (_title, sub) => {
    const { statuses } = await attack(bytesOf('GET /optional/x', [bearer(await token({ sub })), 'Connection: close']))
    expect([401, 431]).toContain(statuses[0])
  })
})

describe('a subject that is fine', () => {
  it.each(['alice', 'auth0|0123', 'a@b@c', 'Ærøskøbing', 'ａlice', 'admin\uff20example.test', 'a\u202eb', '李', "UTF-8''admin", 'x'.repeat(255), 'a, b', 'a;b="c"', '<script>'])('%s arrives as exactly itself, in one line of ASCII', async (sub) => {
    const { statuses, arrived } = await attack(bytesOf('GET /guarded/x', [bearer(await token({ sub })), 'Connection: close']))
    expect(statuses).toEqual([200])
    const [value, ...more] = valuesOf(arrived[0]!.headers, 'x-user-id')
    expect(more).toEqual([])
    expect(value).toMatch(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/)
    // The two look-alikes are not made one.
    if (sub !== 'alice') expect(value).not.toBe('alice')
  })
})

describe('an e-mail address', () => {
  it.each(['a@b.test\r\nX-User-Id: root', 'a\u0000@b.test', 'a\ud800@b.test', ['a@b.test'], { a: 1 }, 7, 'x'.repeat(300)])('%j is not passed on, and forges nothing', async (email) => {
    const { arrived } = await attack(bytesOf('GET /guarded/x', [bearer(await token({ email })), 'X-User-Email: forged@b.test', 'Connection: close']))
    expect(arrived).toHaveLength(1)
    expect(valuesOf(arrived[0]!.headers, 'x-user-email')).toEqual([])
  })
})

describe('claims that are not one\'s own, or not one', () => {
  const claims = (rest: string): string => `{"iss":${JSON.stringify(issuer.url)},"aud":"api","exp":${Math.floor(Date.now() / 1_000) + 300}${rest}}`

  it('are believed when they are fine', async () => {
    expect((await attack(bytesOf('GET /guarded/x', [bearer(forge.token(claims(',"sub":"raw"'))), 'Connection: close']))).statuses).toEqual([200])
  })

  it.each([
    ',"sub":"a","sub":"b"', ',"sub":"a","s\\u0075b":"b"', ',"__proto__":{"sub":"x"}', ',"constructor":{"prototype":{"sub":"x"}}', ',"sub":{"__proto__":"x"}', ',"exp":99999999999,"sub":"a"', ',"sub":"a","x":{"y":1,"y":2}', ',"sub":"a"}{"sub":"b"', ',"sub":"a",',
  ])('%s is 401', async (rest) => {
    const { statuses, arrived } = await attack(bytesOf('GET /guarded/x', [bearer(forge.token(claims(rest))), 'Connection: close']))
    expect(statuses).toEqual([401])
    expect(arrived).toEqual([])
  })
})
