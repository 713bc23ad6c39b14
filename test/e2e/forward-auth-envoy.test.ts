import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, beforeAll, afterAll, describe, expect, it } from 'vitest'
import { envoySnippet } from '../../src/cli/snippets/envoy.ts'
import { factsOf, type Snippet, type SnippetFacts } from '../../src/cli/snippets/facts.ts'
import { compile } from '../../src/config/compile.ts'
import { createResources } from '../../src/config/resources.ts'
import { SILENT } from '../../src/model/event.ts'
import { exchange, type Received } from '../support/callers/client.ts'
import { type Caller, missing, portOf, programOf, startProgram } from '../support/callers/process.ts'
import { everyAnswer, startChecking, type Checking } from '../support/checking-postern.ts'
import { type EchoUpstream, startEchoUpstream } from '../support/echo-upstream.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { freePort } from '../support/running-postern.ts'

const DEPLOY = join(import.meta.dirname, '..', '..', 'deploy')
const SECRET = 'the-secret-of-this-test'

const envoy = (facts: SnippetFacts, files: Snippet): Promise<Caller> => startProgram({ files, command: (folder) => [programOf('envoy'), '--use-dynamic-base-id', '-c', `${folder}/envoy.yaml`], port: portOf(facts) })

// No package archive of a distribution has it.
describe.skipIf(missing('envoy', { optional: true }))('a real Envoy', () => {
  let issuer: Issuer
  let upstream: EchoUpstream
  let token: string
  let broken: string
  let open: (() => Promise<void>)[] = []
  beforeAll(async () => {
    issuer = await startIssuer()
    upstream = await startEchoUpstream()
    token = await issuer.mint()
    broken = [token.split('.')[0], Buffer.from(JSON.stringify({ iss: 'https://idp.invalid', aud: 'api', sub: 'x', exp: 4e9 })).toString('base64url'), token.split('.')[2]].join('.')
  })
  afterAll(async () => void (await Promise.all([issuer.close(), upstream.close()])))
  afterEach(async () => {
    await Promise.all(open.map((close) => close()))
    open = []
  })

  const factsFor = async ({ config, port }: Checking): Promise<SnippetFacts> => {
    const resources = createResources({ clock: Date.now, observer: SILENT })
    resources.begin()
    const { authenticators, gateway } = compile(config, resources)
    await resources.closeAll()
    return factsOf({ config, wire: gateway.wire, authenticators: [...authenticators.values()].map(({ authenticator }) => authenticator), version: 'test', overrides: { postern: `127.0.0.1:${port}`, api: `127.0.0.1:${upstream.port}`, listen: `127.0.0.1:${await freePort()}` } })
  }

  /** An Envoy of the snippet for this config, perhaps bent, and the way to ask it. */
  const started = async (more: string, bend = (text: string): string => text): Promise<{ readonly ask: (path: string, lines?: readonly string[]) => Promise<Received>; readonly postern: Checking }> => {
    const postern = await startChecking(everyAnswer(issuer, more))
    const facts = await factsFor(postern)
    const caller = await envoy(facts, new Map([...envoySnippet(facts)].map(([name, text]) => [name, bend(text)])))
    open = [caller.close, postern.close]
    return { postern, ask: (path, lines = []) => exchange(caller.port, `GET ${path} HTTP/1.1\r\nHost: api.example\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`) }
  }
  const grpc = async (rest = ''): Promise<string> => `forward_auth: { grpc: "127.0.0.1:${await freePort()}"${rest} }\n`

  it('takes the file in deploy/ as it is', () => {
    const { status, stderr } = spawnSync(programOf('envoy'), ['--mode', 'validate', '-c', join(DEPLOY, 'envoy', 'envoy.yaml')], { encoding: 'utf8' })
    expect([status, stderr.includes('deprecated')], stderr).toEqual([0, false])
  })

  it.each(['HTTP', 'gRPC'])('tells clients what is left of their quotas, over %s', async (kind) => {
    const { ask } = await started(kind === 'HTTP' ? '' : await grpc())
    const answer = await ask('/limited/x', [`Authorization: Bearer ${token}`])
    expect([answer.status, answer.headers.get('ratelimit'), answer.headers.get('ratelimit-policy')]).toEqual([200, expect.stringContaining('"hourly";r=1'), expect.stringContaining('"hourly"')])
  })

  it.each(['HTTP', 'gRPC'])('with a secret nobody is answered who does not show it, over %s', async (kind) => {
    const more = kind === 'HTTP' ? `forward_auth: { secret: ${SECRET} }\n` : await grpc(`, secret: ${SECRET}`)
    const { ask } = await started(more, (text) => text.replace('REPLACE-WITH-THE-SECRET', SECRET))
    // What the client says is not the caller's word.
    expect((await ask('/open/x', ['X-Postern-Secret: guess'])).status).toBe(200)
    expect(upstream.seen.at(-1)?.headers['x-postern-secret'] ?? '').not.toBe(SECRET)
    await Promise.all(open.map((close) => close()))
    const { ask: wrong } = await started(kind === 'HTTP' ? more : await grpc(`, secret: ${SECRET}`))
    const before = upstream.seen.length
    const refused = await wrong('/open/x', [`X-Postern-Secret: ${SECRET}`])
    expect([refused.status, refused.body.includes('forwarder_untrusted'), upstream.seen.length]).toEqual([403, true, before])
  })

  // What Envoy Gateway makes of contextExtensions and of earlyRequestHeaders.
  it.each(['gRPC', 'HTTP'])('the secret can stand where Envoy Gateway can put it, over %s', async (kind) => {
    const beside = 'routes: [{ match: { prefix: / }, route: { cluster: api }, typed_per_filter_config: { envoy.filters.http.ext_authz: { "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, check_settings: { context_extensions: { x-postern-secret: ' + SECRET + ' } } } } }]'
    const early = `early_header_mutation_extensions: [{ name: header-mutation, typed_config: { "@type": type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation, mutations: [{ append: { header: { key: x-postern-secret, value: ${SECRET} }, append_action: OVERWRITE_IF_EXISTS_OR_ADD } }] } }]`
    const { ask } = await started(kind === 'gRPC' ? await grpc(`, secret: ${SECRET}`) : `forward_auth: { secret: ${SECRET} }\n`, (text) => kind === 'gRPC'
      ? text.replace(/ +initial_metadata.*\n/, '').replace('routes: [{ match: { prefix: / }, route: { cluster: api } }]', beside)
      : text.replace(/ +authorization_request: .*\n/, '').replace('normalize_path: false', `normalize_path: false\n                ${early}`).replace('- { exact: origin,', '- { exact: x-postern-secret }\n                          - { exact: origin,'))
    expect((await ask('/open/x', ['X-Postern-Secret: guess'])).status).toBe(200)
    expect(upstream.seen.at(-1)?.rawHeaders.join('\n')).not.toContain(SECRET)
  })

  it('a shape of the config is the shape of a refusal that Envoy gives itself', async () => {
    const { ask, postern } = await started('errors: { shape: { error: "{{code}}", note: "100 % it\'s \\"down\\"", id: "{{request_id}}" } }\n')
    const told = await ask('/broken/x', [`Authorization: Bearer ${broken}`])
    await postern.close()
    const gone = await ask('/open/x')
    for (const { status, headers, body } of [told, gone]) {
      expect([status, headers.get('content-type'), headers.get('retry-after'), headers.get('cache-control')]).toEqual([503, 'application/json', '5', 'no-store'])
      expect(JSON.parse(body)).toEqual({ error: 'dependency_unavailable', note: '100 % it\'s "down"', id: headers.get('x-request-id') })
    }
  })

  // Why the page says: leave it off.
  it.each([['HTTP', 200], ['gRPC', 503]])('with failure_mode_allow, a 503 of ours over %s ends as %i', async (kind, status) => {
    const { ask } = await started(kind === 'HTTP' ? '' : await grpc(), (text) => text.replace('failure_mode_allow: false', 'failure_mode_allow: true'))
    expect((await ask('/broken/x', [`Authorization: Bearer ${broken}`])).status).toBe(status)
  })

  it('closes idle connections to Postern before Postern does', async () => {
    const postern = await startChecking(everyAnswer(issuer).replace('listen: 127.0.0.1:0', 'listen: { address: "127.0.0.1:0", keep_alive_timeout: 10s }'))
    open = [postern.close]
    expect(envoySnippet(await factsFor(postern)).get('envoy.yaml')).toContain('idle_timeout: 8s')
  })
})
