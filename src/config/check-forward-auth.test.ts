import { describe, expect, it } from 'vitest'
import { checkForwardAuth, forwardAuthWarnings } from './check-forward-auth.ts'
import { pathText } from './mistake.ts'
import { configSchema } from './schema.ts'

const SECRET = 's'.repeat(16)
const found = (written: Record<string, unknown>): string[] => checkForwardAuth(configSchema.parse({ version: 1, ...written })).map(({ path }) => pathText(path))

describe('a config that answers checks', () => {
  it.each<[string, Record<string, unknown>, string[]]>([
    ['says whom it answers', { mode: 'forward_auth' }, ['client_ip.trusted_proxies']],
    ['says so beside an API as well', { forward_auth: {} }, ['client_ip.trusted_proxies']],
    ['by networks', { mode: 'forward_auth', client_ip: { trusted_proxies: ['10.0.0.0/8'] } }, []],
    ['by a secret', { forward_auth: { secret: SECRET } }, []],
    ['or by a socket file for checks alone', { mode: 'forward_auth', listen: 'unix:/run/postern.sock' }, []],
    ['or by one beside an API', { forward_auth: { listen: 'unix:/run/checks.sock' } }, []],
    ['or by one for gRPC', { forward_auth: { grpc: 'unix:/run/checks.sock' } }, []],
    ['but not by the socket file of its clients', { listen: 'unix:/run/postern.sock', forward_auth: {} }, ['client_ip.trusted_proxies']],
    ['and not by a secret that can be guessed', { forward_auth: { secret: 'short' } }, ['forward_auth.secret']],
    ['nor by an empty one', { forward_auth: { secret: '' } }, ['forward_auth.secret']],
    ['each secret is looked at', { forward_auth: { secret: [SECRET, 'short'] } }, ['forward_auth.secret[1]']],
    ['has one address when it does nothing else', { mode: 'forward_auth', forward_auth: { listen: ':9', secret: SECRET } }, ['forward_auth.listen']],
    ['reads no body', { mode: 'forward_auth', forward_auth: { secret: SECRET }, routes: [{ auth: 'none', body: { max_bytes: 100 } }] }, ['routes[0].body']],
    ['answers nothing itself', { mode: 'forward_auth', forward_auth: { secret: SECRET }, routes: [{ auth: 'none', respond: { json: {} } }] }, ['routes[0].respond']],
    ['has no pages of its own', { mode: 'forward_auth', forward_auth: { secret: SECRET }, self_service: { auth: 'web' } }, ['self_service']],
    ['and hears of no logouts', { mode: 'forward_auth', forward_auth: { secret: SECRET }, deny_list: { back_channel_logout: { authenticator: 'web', client_id: 'x' } } }, ['deny_list.back_channel_logout']],
    ['has both beside checks on a listener of their own', { forward_auth: { listen: ':9', secret: SECRET }, self_service: { auth: 'web' } }, []],
    ['knows its callers by their own connection', { mode: 'forward_auth', forward_auth: { secret: SECRET }, listen: { proxy_protocol: true } }, ['listen.proxy_protocol']],
    ['is not meant when there are no checks', {}, []],
  ])('%s', (_what, written, paths) => {
    expect(found(written)).toEqual(paths)
  })

  it('is warned about settings that only a proxy has', () => {
    const config = configSchema.parse({ version: 1, mode: 'forward_auth', upstreams: { api: { url: 'http://a:1' } }, routes: [{ auth: 'none', rewrite: { add_prefix: '/v1' } }] })
    expect(forwardAuthWarnings(config).map(({ path }) => pathText(path))).toEqual(['upstreams', 'routes[0].rewrite'])
  })

  it.each<[Record<string, unknown>, string[]]>([
    [{}, ['forward_auth']],
    [{ secret: SECRET }, []],
    [{ listen: '127.0.0.1:8081' }, []],
  ])('is warned when clients of a trusted proxy could ask as well: %j', (forward_auth, paths) => {
    expect(forwardAuthWarnings(configSchema.parse({ version: 1, upstreams: { api: { url: 'http://a:1' } }, forward_auth })).map(({ path }) => pathText(path))).toEqual(paths)
  })
})
