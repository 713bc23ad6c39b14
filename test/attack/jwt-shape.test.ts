// Spellings and sizes (T38, T43, T44). Repeats the false accepts of Wycheproof (tcId 360, 365, 367, 368, 370, 375), CVE-2025-61920 and
// CVE-2025-59420 (Authlib), CVE-2025-30204 (golang-jwt), CVE-2025-27144 and CVE-2024-28180 (go-jose), CVE-2024-29371 (jose4j),
// CVE-2023-49290 and CVE-2024-28122 (jwx), CVE-2022-36083 and CVE-2024-28176 (jose), CVE-2026-49230 (APISIX).
import { deflateRawSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { base64url, createForge } from './forge.ts'
import { bearer, bytesOf, startTarget } from './target.ts'

const forge = createForge()
const { attack, issuer } = await startTarget({
  publish: [forge.jwk],
  config: ({ standard, issuer: known }) => ({ authenticators: { ...(standard['authenticators'] as object), token: { type: 'jwt', issuer: known.url, audience: ['api'], jwks_url: known.jwksUrl, in: [{ bearer: true }, { cookie: 'session' }] } } }),
})

const now = Math.floor(Date.now() / 1_000)
const claims = { iss: issuer.url, aud: 'api', sub: 'alice', iat: now, exp: now + 300 }
const good = forge.token(claims)
const [header, payload, signature] = good.split('.') as [string, string, string]
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
/** The same bytes with other unused bits in the last letter. */
const respelled = (part: string): string => part.slice(0, -1) + ALPHABET[ALPHABET.indexOf(part.at(-1)!) ^ 1]!

async function refused(lines: readonly string[]): Promise<void> {
  const { statuses, arrived, decided } = await attack(bytesOf('GET /guarded/x', [...lines, 'Connection: close']))
  expect(statuses[0]).toBeGreaterThanOrEqual(400)
  expect(statuses[0]).toBeLessThan(500)
  expect(arrived).toEqual([])
  for (const { durationMs } of decided) expect(durationMs).toBeLessThan(500)
}

it('the token itself passes', async () => {
  expect((await attack(bytesOf('GET /guarded/x', [bearer(good), 'Connection: close']))).statuses).toEqual([200])
})

describe('another spelling of a good token', () => {
  it.each([
    ['padding in the header', `${header}=.${payload}.${signature}`], ['padding in the payload', `${header}.${payload}=.${signature}`], ['padding in the signature', `${header}.${payload}.${signature}==`], ['padding everywhere', `${header}==.${payload}==.${signature}==`], ['other unused bits', `${header}.${payload}.${respelled(signature)}`],
    ['standard base64', `${header}.${payload}.${signature.replaceAll('-', '+').replaceAll('_', '/')}+`], ['a dot at the end', `${good}.`], ['a dot in front', `.${good}`], ['two dots', `${header}..${payload}.${signature}`], ['a fourth part', `${good}.${signature}`], ['a fifth part', `${good}.${signature}.${signature}`], ['no signature part', `${header}.${payload}`], ['an empty payload', `${header}..${signature}`], ['an empty header', `.${payload}.${signature}`],
    ['a line break, encoded', `${header}%0A.${payload}.${signature}`], ['a dot, encoded', good.replace('.', '%2E')], ['quotes', `"${good}"`], ['angle brackets', `<${good}>`], ['a comma behind', `${good},`], ['a semicolon behind', `${good};`], ['a colon behind', `${good}:`], ['twice', good + good], ['upper case', good.toUpperCase()], ['lower case', good.toLowerCase()], ['a letter more', `${good}A`], ['a letter less', good.slice(0, -1)], ['a NUL behind', `${good}\0`], ['a no-break space behind', `${good}\u00a0`],
    ['a tilde, as in SD-JWT', `${good}~`], ['disclosures', `${good}~WyJhIl0~`], ['DPoP in front', `DPoP ${good}`],
  ])('with %s is 4xx', async (_title, text) => {
    await refused([bearer(text)])
    // Behind a semicolon there is another cookie, or none.
    if (!text.endsWith(';')) await refused([`Cookie: session=${text}`])
  })

  it('blanks within it are 4xx', async () => {
    for (const text of [`${header} .${payload}.${signature}`, `${header}. ${payload}.${signature}`, `${header}.${payload}\t.${signature}`, `${header}.${payload}. ${signature}`, `${good.slice(0, 20)} ${good.slice(20)}`]) await refused([bearer(text)])
  })

  it.each([`Bearer  ${good}`, `bearer ${good}`, `BEARER ${good}`])('but the scheme may be written as RFC 9110 lets it, case %#', async (value) => {
    expect((await attack(bytesOf('GET /guarded/x', [`Authorization: ${value}`, 'Connection: close']))).statuses).toEqual([200])
  })

  it.each([good, `Token ${good}`, `JWT ${good}`, `Basic ${good}`, `Bearer${good}`, `Bearer=${good}`, `Bearer\u00a0${good}`, `"Bearer ${good}"`, `Digest ${good}`, `Negotiate ${good}`])('another scheme is 401, case %#', async (value) => {
    expect((await attack(bytesOf('GET /guarded/x', [`Authorization: ${value}`, 'Connection: close']))).statuses[0]).toBe(401)
  })
})

describe('another form', () => {
  const json = JSON.stringify({ payload, protected: header, signature })
  it.each([
    ['flattened JSON', json], ['general JSON', JSON.stringify({ payload, signatures: [{ protected: header, signature }] })], ['JSON in base64url', base64url(json)], ['a token in a token', forge.token(base64url(good))], ['a payload that is a list', forge.token('[]')], ['a payload that is text', forge.token('"alice"')], ['a payload that is null', forge.token('null')], ['a payload that is no JSON', forge.token('alice')], ['an empty one', forge.token('')], ['a header that is a list', forge.token(claims, '[]')], ['a header that is null', forge.token(claims, 'null')],
    ['a byte order mark', forge.token(`\ufeff${JSON.stringify(claims)}`)], ['UTF-16', forge.token(Buffer.from(JSON.stringify(claims), 'utf16le').toString('latin1'))], ['comments', forge.token(`/* */${JSON.stringify(claims)}`)], ['a comma at the end', forge.token(`${JSON.stringify(claims).slice(0, -1)},}`)], ['something behind', forge.token(`${JSON.stringify(claims)}x`)], ['single quotes', forge.token(JSON.stringify(claims).replaceAll('"', "'"))], ['NaN', forge.token(JSON.stringify(claims).replace(String(now + 300), 'NaN'))], ['a nest of lists', forge.token(`{"iss":${JSON.stringify(issuer.url)},"x":${'['.repeat(2_500)}${']'.repeat(2_500)}`)],
  ])('%s is 401', async (_title, text) => {
    await refused([bearer(text)])
  })
})

describe('encryption where a signature is expected', () => {
  const bomb = deflateRawSync(Buffer.alloc(4_000_000, 'a')).toString('base64url')
  const jwe = (head: object, text = 'AAAA'): string => [head, 'AAAA', 'AAAAAAAAAAAAAAAA', text, 'AAAAAAAAAAAAAAAAAAAAAA'].map((part) => (typeof part === 'object' ? base64url(part) : part)).join('.')
  it.each([
    ['dir', jwe({ alg: 'dir', enc: 'A256GCM' })], ['PBES2 with 2e9 rounds', jwe({ alg: 'PBES2-HS512+A256KW', enc: 'A256CBC-HS512', p2c: 2e9, p2s: 'AAAA' })], ['PBES2 with an endless count', jwe({ alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 1e308, p2s: 'A' })], ['a zip bomb', jwe({ alg: 'dir', enc: 'A256GCM', zip: 'DEF' }, bomb.slice(0, 4_000))], ['RSA1_5', jwe({ alg: 'RSA1_5', enc: 'A128CBC-HS256' })], ['RSA-OAEP', jwe({ alg: 'RSA-OAEP', enc: 'A256GCM', kid: forge.jwk.kid })], ['ECDH-ES with a point', jwe({ alg: 'ECDH-ES', enc: 'A128GCM', epk: forge.jwk })], ['none', jwe({ alg: 'none', enc: 'none' })],
  ])('%s: 401 at once, in both carriers', async (_title, text) => {
    await refused([bearer(text)])
    await refused([`Cookie: session=${text}`])
  })
})

describe('sizes', () => {
  const long = (length: number): string => {
    const text = forge.token({ ...claims, pad: 'x'.repeat(Math.floor(length * 0.7)) })
    return text.length > length ? text : forge.token({ ...claims, pad: 'x'.repeat(length) })
  }
  it.each([['8 KiB and more of a good token', long(8_193)], ['dots', '.'.repeat(10_000)], ['dots behind a header', `${header}${'.'.repeat(9_000)}`], ['letters', 'e'.repeat(9_000)], ['a header of 9 kB', forge.token(claims, { alg: 'ES256', kid: forge.jwk.kid, pad: 'x'.repeat(9_000) })], ['empty parts', `e30${'.e30'.repeat(3_000)}`], ['commas', ','.repeat(9_000)], ['equals signs', '='.repeat(9_000)]])('%s: 4xx at once, in both carriers', async (_title, text) => {
    await refused([bearer(text)])
    await refused([`Cookie: session=${text}`])
  })

  it('16 KiB of headers is 431', async () => {
    expect((await attack(bytesOf('GET /guarded/x', [bearer('e'.repeat(17_000))]), { answers: Infinity })).statuses).toEqual([431])
  })

  it('a thousand cookies are read at once, and are nobody', async () => {
    await refused([`Cookie: ${Array.from({ length: 1_000 }, (_, nth) => `s${nth}=${nth}`).join('; ')}`])
    await refused([`Cookie: ${'session.'.repeat(1_500)}`])
    await refused([`Cookie: ${';'.repeat(12_000)}`])
  })

  it('a good token just under the limit passes', async () => {
    const text = forge.token({ ...claims, pad: 'x'.repeat(5_500) })
    expect(text.length).toBeLessThan(8_192)
    expect((await attack(bytesOf('GET /guarded/x', [bearer(text), 'Connection: close']))).statuses).toEqual([200])
  })
})
