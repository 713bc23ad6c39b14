import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { compile } from '../../src/config/compile.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createResources } from '../../src/config/resources.ts'
import { SILENT } from '../../src/model/event.ts'
import { factsOf } from '../../src/cli/snippets/facts.ts'
import { envoyGatewaySnippet, istioSnippet } from '../../src/cli/snippets/mesh.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-mesh-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** The snippets of a config with this `forward_auth`. */
function snippets(forwardAuth: string) {
  const file = join(folder, 'postern.yaml')
  writeFileSync(file, `version: 1\nmode: forward_auth\nclient_ip: { trusted_proxies: [10.0.0.0/8] }\nforward_auth: ${forwardAuth}\nauth: [{ api_keys: { header: X-API-Key, keys: [{ id: me, value: a-key-of-this-test-0123456789 }] } }]\n`)
  const { config } = loadConfig({ file, env: {} })
  const resources = createResources({ clock: Date.now, observer: SILENT })
  resources.begin()
  const { authenticators, gateway } = compile(config, resources)
  void resources.closeAll()
  const facts = factsOf({ config, wire: gateway.wire, authenticators: [...authenticators.values()].map(({ authenticator }) => authenticator), version: 'test' })
  const [policy, traffic, ...more] = parseAllDocuments(envoyGatewaySnippet(facts).get('security-policy.yaml')!).map((document) => document.toJS() as { kind: string; spec: never })
  const mesh = parse(istioSnippet(facts).get('mesh-config.yaml')!) as { meshConfig: { extensionProviders: Record<string, Record<string, unknown>>[] } }
  return { extAuth: (policy!.spec as { extAuth: Record<string, unknown> }).extAuth, headers: (traffic!.spec as { headers: Record<string, unknown> }).headers, more, provider: mesh.meshConfig.extensionProviders[0]!, texts: [...envoyGatewaySnippet(facts).values(), ...istioSnippet(facts).values()] }
}

const SECRET = 'a-secret-of-this-test-0123'

describe('Envoy Gateway and Istio', () => {
  it('ask over HTTP without a secret, and the files say what is left to do then', () => {
    const { extAuth, headers, more, provider, texts } = snippets('{}')
    expect([extAuth['statusOnError'], extAuth['failOpen'], extAuth['grpc'], headers['earlyRequestHeaders'], more]).toEqual([503, false, undefined, undefined, []])
    expect(provider['envoyExtAuthzHttp']).not.toHaveProperty('includeAdditionalHeadersInCheck')
    expect(texts.filter((text) => text.includes('No secret is configured')).length).toBe(2)
  })

  it('show the secret over HTTP, each in its way, and never the real one', () => {
    const { extAuth, headers, provider, texts } = snippets(`{ secret: ${SECRET} }`)
    expect(headers['earlyRequestHeaders']).toEqual({ set: [{ name: 'X-Postern-Secret', value: 'REPLACE-WITH-THE-SECRET' }] })
    expect(extAuth['headersToExtAuth']).toContain('x-postern-secret')
    expect(provider['envoyExtAuthzHttp']).toMatchObject({ includeAdditionalHeadersInCheck: { 'x-postern-secret': 'REPLACE-WITH-THE-SECRET' } })
    expect(texts.join('\n')).not.toContain(SECRET)
  })

  it('ask over gRPC where the config listens for it: Envoy Gateway with the secret from a Secret, Istio only without one', () => {
    const plain = snippets('{ grpc: "0.0.0.0:8082" }')
    expect([plain.extAuth['http'], plain.extAuth['contextExtensions'], plain.provider['envoyExtAuthzGrpc']]).toEqual([undefined, undefined, expect.objectContaining({ port: 8082 })])
    const { extAuth, headers, provider } = snippets(`{ grpc: "0.0.0.0:8082", secret: ${SECRET} }`)
    expect([extAuth['grpc'], headers['earlyRequestHeaders']]).toEqual([{ backendRefs: [{ name: 'postern', port: 8082 }] }, undefined])
    expect(extAuth['contextExtensions']).toEqual([{ name: 'x-postern-secret', type: 'ValueRef', valueRef: { group: '', kind: 'Secret', name: 'postern-secret', key: 'secret' } }])
    expect([provider['envoyExtAuthzGrpc'], provider['envoyExtAuthzHttp']]).toEqual([undefined, expect.objectContaining({ port: 8080 })])
  })

  it('are told whom to take for Postern when it speaks TLS', () => {
    // Only whether they are there is looked at.
    const files = 'certificate: postern.yaml, key: postern.yaml'
    const { more, texts } = snippets(`{ grpc: { address: "0.0.0.0:8082", tls: { ${files} } } }`)
    expect(more.map(({ kind }) => kind)).toEqual(['BackendTLSPolicy'])
    expect(texts.join('\n')).toContain('DestinationRule')
  })
})
