import { describe, expect, it } from 'vitest'
import { loadConfig, type LoadedConfig } from './load.ts'
import { ConfigFileError, pathText } from './mistake.ts'

const MINIMAL = 'version: 1\nupstream: http://127.0.0.1:3000\nauth: [{jwt: {issuer: https://a.example, audience: orders}}]\nclient_ip: {direct: true}\n'

interface Given {
  readonly text: string
  readonly env?: NodeJS.ProcessEnv
  readonly files?: Readonly<Record<string, string>>
}

function load({ text, env = {}, files = {} }: Given): LoadedConfig {
  return loadConfig({
    file: '/etc/postern/postern.yaml',
    env,
    readFile: (path) => {
      const found = path === '/etc/postern/postern.yaml' ? text : files[path]
      if (found === undefined) throw Object.assign(new Error('gone'), { code: 'ENOENT' })
      return { text: found, worldReadable: false }
    },
  })
}

function mistakesOf(given: Given): string[] {
  try {
    load(given)
    return []
  } catch (error) {
    if (!(error instanceof ConfigFileError)) throw error
    return error.mistakes.map(({ line, column, path, message }) => `${line}:${column} ${pathText(path)}: ${message}`)
  }
}

describe('loadConfig', () => {
  it('gives the long form with every unit resolved', () => {
    const { config } = load({ text: `${MINIMAL}drain: {delay: 3s}\nmax_body: 1MiB\n` })
    expect(config.upstreams).toMatchObject({ default: { url: 'http://127.0.0.1:3000', timeout: 60_000 } })
    expect(config.authenticators).toMatchObject({ jwt: { type: 'jwt', issuer: ['https://a.example'], audience: ['orders'] } })
    expect(config).toMatchObject({ listen: { host: '127.0.0.1', port: 8080 }, drain: { delay: 3_000, timeout: 20_000 }, max_body: 1_048_576 })
    expect(config).not.toHaveProperty('auth')
    expect(config).not.toHaveProperty('upstream')
  })

  it('reads JSON as well', () => {
    expect(load({ text: JSON.stringify({ version: 1, upstream: 'http://127.0.0.1:3000', auth: ['anonymous'] }) }).config.authenticators).toEqual({ anonymous: { type: 'anonymous' } })
  })

  it.each([
    ['PORT', '127.0.0.1:9', { listen: { host: '127.0.0.1', port: 9 } }, 'listen: ${PORT}'],
    ['HTTPS', 'on', { require_https: true }, 'require_https: ${HTTPS}'],
    ['NETS', '10.0.0.0/8, 192.168.0.0/16', { allowed_networks: ['10.0.0.0/8', '192.168.0.0/16'] }, 'allowed_networks: ${NETS}'],
    ['NETS', '', { allowed_networks: [] }, 'allowed_networks: ${NETS}'],
    ['SIZE', '2048', { max_body: 2_048 }, 'max_body: ${SIZE}'],
  ])('makes of the text of %s=%j what the key needs', (name, value, expected, line) => {
    expect(load({ text: `${MINIMAL}${line}\n`, env: { [name]: value } }).config).toMatchObject(expected)
  })

  it('cannot be given structure through a variable', () => {
    const { config } = load({ text: `${MINIMAL}audit: \${AUDIT}\n`, env: { AUDIT: 'off\npublic: ["GET /**"]' } })
    expect(config.audit).toBe('off\npublic: ["GET /**"]')
    expect(config.public).toEqual([])
  })

  it('lets a variable win over the file', () => {
    const { config, originOf } = load({ text: `${MINIMAL}listen: 127.0.0.1:1\nops: "127.0.0.1:\${OPS}"\n`, env: { POSTERN_LISTEN: '127.0.0.1:2', OPS: '3' } })
    expect(config).toMatchObject({ listen: { port: 2 }, ops: { port: 3 } })
    expect(originOf(['listen'])).toEqual({ kind: 'variable', name: 'POSTERN_LISTEN' })
    expect(originOf(['ops'])).toEqual({ kind: 'file', line: 6, column: 6, reference: '127.0.0.1:${OPS}' })
    expect(originOf(['upstreams', 'default', 'url'])).toEqual({ kind: 'file', line: 2, column: 11 })
    expect(originOf(['drain', 'delay'])).toEqual({ kind: 'default' })
  })

  it('starts without any file when variables say enough, and says what is missing when they do not', () => {
    expect(() => loadConfig({ env: { POSTERN_UPSTREAM: 'http://127.0.0.1:3000' } })).toThrow('no authenticator is configured')
    const { config, file, watched } = loadConfig({ env: { POSTERN_UPSTREAM: 'http://127.0.0.1:3000', POSTERN_AUTH_0_JWT_ISSUER: 'https://a.example', POSTERN_AUTH_0_JWT_AUDIENCE: 'orders' } })
    expect(config.authenticators).toMatchObject({ jwt: { issuer: ['https://a.example'] } })
    expect({ file, watched }).toEqual({ file: 'environment', watched: [] })
  })

  it('names a missing file', () => {
    expect(() => loadConfig({ file: '/nowhere/postern.yaml', env: {} })).toThrow(': this config does not exist')
  })

  it('finds mistakes of spelling and of meaning in one run, in the order of the file', () => {
    expect(mistakesOf({ text: `${MINIMAL}lissten: x\nclient_ipp: 1\nstore: redis:6379\nlog: {level: loud}\n` })).toEqual([
      '5:1 lissten: unknown key. Did you mean "listen"?',
      '6:1 client_ipp: unknown key. Did you mean "client_ip"?',
      '7:8 store: this value (not shown) – expected a URL such as "redis://redis:6379" or "rediss://user:password@redis:6380/0"',
      '8:14 log.level: "loud" – expected debug, info, warn, error or silent',
    ])
  })

  it('does not conclude anything from a part that it could not read', () => {
    expect(mistakesOf({ text: 'version: 1\nupstream: ftp://x\nauth: [{jwtt: {}}]\nroutes: [{match: {path: /a}, auth: jwt}]\n' })).toEqual([
      '2:11 upstream: "ftp://x" – expected an upstream such as "http://127.0.0.1:3000" or "unix:/run/api.sock"',
      expect.stringContaining('3:9 auth[0].jwtt: unknown kind. Did you mean "jwt"? One of: '),
    ])
    expect(mistakesOf({ text: `${MINIMAL}listen: \${UNSET}\n` })).toEqual(['5:9 listen: variable UNSET is not set; set it, or write "${UNSET:-default}".'])
  })

  it('changes its revision with the text and its fingerprint also with every file it refers to', () => {
    const text = `${MINIMAL}audit: \${file:secret}\n`
    const [one, two, other] = [load({ text, files: { '/etc/postern/secret': 'a' } }), load({ text, files: { '/etc/postern/secret': 'b' } }), load({ text: `${text}#`, files: { '/etc/postern/secret': 'a' } })]
    expect(one.revision).toMatch(/^[0-9a-f]{64}$/)
    expect(two.revision).toBe(one.revision)
    expect(two.fingerprint).not.toBe(one.fingerprint)
    expect(other.revision).not.toBe(one.revision)
    expect(load({ text, files: { '/etc/postern/secret': 'a' } }).fingerprint).toBe(one.fingerprint)
  })

  it('names the files to watch: the config and what it refers to, from the folder of the config', () => {
    expect(load({ text: `${MINIMAL}audit: \${file:secret}\n`, files: { '/etc/postern/secret': 'a' } }).watched).toEqual(['/etc/postern/postern.yaml', '/etc/postern/secret'])
  })

  it('names them also when it refuses, so that the one that is still missing can be waited for', () => {
    try {
      load({ text: `${MINIMAL}audit: \${file:later}\n` })
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigFileError)
      expect((error as ConfigFileError).watched).toEqual(['/etc/postern/postern.yaml', '/etc/postern/later'])
    }
  })

  it('means file names from the folder of the config, and wants them to be readable', () => {
    const text = `${MINIMAL.replace('audience: orders', 'audience: orders, jwks_file: keys.json')}listen: {tls: {certificate: tls.crt, key: /k/tls.key}}\n`
    const { config } = load({ text, files: { '/etc/postern/keys.json': '{}', '/etc/postern/tls.crt': 'x', '/k/tls.key': 'x' } })
    expect(config).toMatchObject({ authenticators: { jwt: { jwks_file: '/etc/postern/keys.json' } }, listen: { tls: { certificate: '/etc/postern/tls.crt', key: '/k/tls.key' } } })
    expect(mistakesOf({ text, files: { '/etc/postern/keys.json': '{}' } })).toEqual([
      '5:29 listen.tls.certificate: file /etc/postern/tls.crt does not exist',
      '5:43 listen.tls.key: file /k/tls.key does not exist',
    ])
  })

  it('gives the mistakes of compile the place and the path that the operator wrote', () => {
    const loaded = load({ text: MINIMAL })
    expect(loaded.placed([{ path: ['authenticators', 'jwt', 'issuer'], message: 'x' }])).toEqual([{ path: ['auth', 0, 'jwt', 'issuer'], message: 'x', file: '/etc/postern/postern.yaml', line: 3, column: 23 }])
    expect(loaded.place(['authenticators', 'jwt', 'jwks', 'max_age'])).toEqual({ line: 3, column: 9 })
  })

  it('knows which values must not be shown', () => {
    const { isSecret } = load({ text: `${MINIMAL.replace('audience: orders', 'audience: "${AUD}"')}`, env: { AUD: 'orders' } })
    expect(isSecret(['authenticators', 'jwt', 'audience'])).toBe(true)
    expect(isSecret(['authenticators', 'jwt', 'issuer'])).toBe(false)
    expect(isSecret(['authenticators', 'jwt', 'secret', 0])).toBe(true)
  })

  it.each([
    ['upstream', MINIMAL.replace('upstream:', 'upsteram:'), 'upsteram: unknown key. Did you mean "upstream"?'],
    ['auth', MINIMAL.replace('auth:', 'auths:'), 'auths: unknown key. Did you mean "auth"?'],
  ])('says once, where it is misspelled, that %s is missing', (_key, text, message) => {
    expect(mistakesOf({ text })).toEqual([expect.stringContaining(message)])
  })

  it('shows what a variable holds where that is no secret, and where it came from', () => {
    expect(mistakesOf({ text: `${MINIMAL}listen: "\${PORT}"\nrate_limit: [{name: a, limit: "\${LIMIT}/minutes"}]\n`, env: { PORT: '8080x', LIMIT: '100' } })).toEqual([
      expect.stringContaining('"8080x" (from "${PORT}") – expected'),
      expect.stringContaining('"100/minutes" (from "${LIMIT}/minutes") – expected'),
    ])
  })

  it.each([
    ['a variable that is called like a secret', 'listen: "${API_TOKEN}"', { API_TOKEN: 'hunter2' }],
    ['a variable with the value of a secret', 'listen: "${PORT}"\nstore: "${X}"', { PORT: 'hunter2', X: 'hunter2' }],
    ['a URL with a password', 'public_url: "${URL}"', { URL: 'https://u:hunter2@api.example' }],
    ['a list of keys that is none', 'authenticators: {k: {type: api_key, keys: "${LIST}"}}', { LIST: 'hunter2' }],
    ['an override from a file', '', { POSTERN_LISTEN_FILE: '/etc/postern/s' }],
  ])('never shows %s', (_title, line, env) => {
    const text = `${line.includes('authenticators') ? MINIMAL.split('auth:')[0] : MINIMAL}${line}\n`
    const found = mistakesOf({ text, env, files: { '/etc/postern/s': 'hunter2' } })
    expect(found.length).toBeGreaterThan(0)
    expect(found.join('\n')).not.toContain('hunter2')
  })

  it('never repeats a secret in a mistake', () => {
    const text = `${MINIMAL}listen: \${file:s}\nops: \${S}\npublic: \${S}\nrate_limit: [{name: a, limit: "\${S}", key: "\${S}"}]\nroutes: [{match: {path: "\${S}"}, auth: ["\${S}"], upstream: "\${S}"}]\n`
    const found = mistakesOf({ text, env: { S: 'hunter2' }, files: { '/etc/postern/s': 'hunter2' } })
    expect(found.length).toBeGreaterThan(5)
    expect(found.join('\n')).not.toContain('hunter2')
    const { placed } = load({ text: `${MINIMAL}audit: \${file:s}\n`, files: { '/etc/postern/s': 'hunter2' } })
    expect(placed([{ path: ['public'], message: 'about "hunter2"' }])[0]?.message).toBe('about "${file:s}"')
  })
})
