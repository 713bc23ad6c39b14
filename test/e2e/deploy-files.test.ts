import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { missing } from '../support/callers/process.ts'
import { runPostern } from '../support/running-postern.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const DEPLOY = join(ROOT, 'deploy')

/** What a probe, a container and a pod of ours must be; strict, so that a misspelled key is found. */
const probe = z.strictObject({ httpGet: z.strictObject({ path: z.string().startsWith('/'), port: z.literal(9090) }), periodSeconds: z.int().positive(), failureThreshold: z.int().positive() })
const container = z.strictObject({
  name: z.literal('postern'),
  image: z.string().regex(/^[a-z0-9./-]+:\d+\.\d+\.\d+$/),
  args: z.tuple([z.literal('run'), z.literal('--config'), z.literal('/etc/postern/postern.yaml')]),
  env: z.array(z.strictObject({ name: z.string(), value: z.string().optional(), valueFrom: z.strictObject({ fieldRef: z.strictObject({ apiVersion: z.string().optional(), fieldPath: z.string() }) }).optional() })),
  ports: z.array(z.strictObject({ name: z.string().max(15), containerPort: z.int() })),
  startupProbe: probe, readinessProbe: probe, livenessProbe: probe,
  restartPolicy: z.literal('Always').optional(),
  securityContext: z.strictObject({ runAsNonRoot: z.literal(true), runAsUser: z.literal(65_532), runAsGroup: z.literal(65_532), allowPrivilegeEscalation: z.literal(false), readOnlyRootFilesystem: z.literal(true), capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]) }), seccompProfile: z.strictObject({ type: z.literal('RuntimeDefault') }) }),
  resources: z.strictObject({ requests: z.strictObject({ cpu: z.string(), memory: z.string() }), limits: z.strictObject({ memory: z.string() }) }),
  // subPath would make the file one that never changes.
  volumeMounts: z.tuple([z.strictObject({ name: z.literal('postern-config'), mountPath: z.literal('/etc/postern'), readOnly: z.literal(true) })]),
})
const volumes = z.tuple([z.strictObject({ name: z.literal('postern-config'), configMap: z.strictObject({ name: z.string().startsWith('postern') }) })])

type Manifest = { kind: string; metadata: { name: string }; spec: Record<string, unknown> }

const documentsOf = (text: string): Manifest[] => parseAllDocuments(text).map((document) => document.toJS() as Manifest)

const APP = `apiVersion: apps/v1
kind: Deployment
metadata: { name: api }
spec:
  selector: { matchLabels: { app: api } }
  template:
    metadata: { labels: { app: api } }
    spec: { containers: [{ name: api, image: "example/api:1.0.0" }] }
---
apiVersion: v1
kind: Service
metadata: { name: api }
spec: { selector: { app: api }, ports: [{ port: 80, targetPort: 3000 }] }
`

// Kubernetes has packages of its own, and a container need not have systemd.
describe.skipIf(missing('kubectl', { optional: true }))('what kubectl makes of the kustomizations', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'postern-kustomize-'))
    cpSync(join(DEPLOY, 'kubernetes'), folder, { recursive: true })
    writeFileSync(join(folder, 'app.yaml'), APP)
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  const render = (path: string): Manifest[] => documentsOf(execFileSync('kubectl', ['kustomize', path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }))
  const of = (manifests: Manifest[], kind: string): Manifest => manifests.find((manifest) => manifest.kind === kind)!

  it.each([['sidecar', 'initContainers'], ['second-container', 'containers']])('%s is added to a Deployment of anybody, and its Service points there', (component, list) => {
    writeFileSync(join(folder, 'kustomization.yaml'), `resources: [app.yaml]\ncomponents: [${component}]\n`)
    const manifests = render(folder)
    const pod = (of(manifests, 'Deployment').spec['template'] as { spec: Record<string, { name: string }[]> }).spec
    const ours = pod[list]!.find(({ name }) => name === 'postern')
    expect(container.parse(ours).restartPolicy).toBe(list === 'initContainers' ? 'Always' : undefined)
    expect(pod['containers']!.map(({ name }) => name)).toContain('api')
    volumes.parse(pod['volumes'])
    expect((of(manifests, 'Service').spec['ports'] as { targetPort: unknown }[])[0]!.targetPort).toBe(8080)
    expect(of(manifests, 'ConfigMap')).toBeDefined()
  })

  it('the stand-alone form is whole: Deployment, Service, autoscaler, disruption budget, network policy, monitor', () => {
    const manifests = render(join(folder, 'forward-auth'))
    expect(manifests.map(({ kind }) => kind).toSorted()).toEqual(['ConfigMap', 'Deployment', 'HorizontalPodAutoscaler', 'NetworkPolicy', 'PodDisruptionBudget', 'PodMonitor', 'Service'])
    const spec = of(manifests, 'Deployment').spec as { selector: { matchLabels: object }; template: { metadata: { labels: object }; spec: { containers: unknown[]; volumes: unknown; terminationGracePeriodSeconds: number } } }
    container.parse(spec.template.spec.containers[0])
    volumes.parse(spec.template.spec.volumes)
    expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(25)
    // Everybody selects the same pods.
    const labels = spec.template.metadata.labels
    expect([spec.selector.matchLabels, of(manifests, 'Service').spec['selector'], ...['PodDisruptionBudget', 'PodMonitor'].map((kind) => (of(manifests, kind).spec['selector'] as { matchLabels: object }).matchLabels), (of(manifests, 'NetworkPolicy').spec['podSelector'] as { matchLabels: object }).matchLabels]).toEqual(Array.from({ length: 5 }, () => labels))
    expect((of(manifests, 'NetworkPolicy').spec['ingress'] as { ports: { port: unknown }[] }[]).flatMap(({ ports }) => ports.map(({ port }) => port))).toEqual([8080, 9090])
  })
})

describe('examples beside the stand-alone form', () => {
  const of = (file: string): Manifest => parse(readFileSync(join(DEPLOY, 'kubernetes', 'forward-auth', file), 'utf8')) as Manifest
  it('Traefik replaces what the config writes and strips', () => {
    const { forwardAuth } = of('example-traefik.yaml').spec as { forwardAuth: { address: string; authResponseHeaders: string[]; trustForwardHeader: boolean } }
    expect([forwardAuth.address, forwardAuth.trustForwardHeader]).toEqual(['http://postern:8080/_postern/forward', false])
    expect(forwardAuth.authResponseHeaders).toEqual(expect.arrayContaining(['X-User-Id', 'X-User-Email', 'Authorization', 'X-Api-Key']))
  })
  it('the Gateway API lists the headers of both ways: an empty list would copy everything', () => {
    const { http } = (of('example-gateway-api.yaml').spec as { rules: { filters: { type: string; externalAuth: { http: { path: string; allowedHeaders: string[]; allowedResponseHeaders: string[] } } }[] }[] }).rules[0]!.filters[0]!.externalAuth
    expect([http.path, http.allowedResponseHeaders]).toEqual(['/_postern/envoy', ['x-user-id', 'x-user-email']])
    expect(http.allowedHeaders).toEqual(expect.arrayContaining(['x-api-key', 'x-forwarded-for']))
  })
})

describe.skipIf(missing('nginx'))('nginx beside the site that a distribution brings', () => {
  /** What `nginx -t` says of the shipped file and of a site that is the default of an address. */
  const tested = (site: string): { status: number | null; stderr: string } => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-nginx-'))
    const snippet = readFileSync(join(DEPLOY, 'nginx', 'postern.conf'), 'utf8').replace('listen 127.0.0.1:8000', 'listen 0.0.0.0:18080')
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(' ')
    writeFileSync(join(folder, 'nginx.conf'), `pid ${folder}/pid; error_log stderr;\nevents {}\nhttp { access_log off; ${temporary}\n${snippet}\n${site} }\n`)
    const { status, stderr } = spawnSync('nginx', ['-t', '-e', 'stderr', '-c', join(folder, 'nginx.conf'), '-p', folder], { encoding: 'utf8', env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` } })
    rmSync(folder, { recursive: true })
    return { status, stderr }
  }

  it('does not start when that site would take the requests', () => {
    expect(tested('server { listen 18080 default_server; server_name _; return 200; }')).toMatchObject({ status: 1, stderr: expect.stringContaining('a duplicate default server for 0.0.0.0:18080') })
  })

  it('starts beside sites that are no default', () => {
    expect(tested('server { listen 18080; server_name other.example; return 200; }')).toMatchObject({ status: 0 })
  })
})

describe('the unit of systemd', () => {
  it.skipIf(missing('systemd-analyze', { optional: true }))('is well-formed, and exposed to less than 1.5 of 10', () => {
    const unit = join(DEPLOY, 'systemd', 'postern.service')
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' })
    // The program itself is not installed here; nothing else may be said.
    expect(verified.stderr.split('\n').filter((line) => line.includes('postern.service') && !line.includes('is not executable'))).toEqual([])
    const { stdout } = spawnSync('systemd-analyze', ['security', '--offline=true', unit], { encoding: 'utf8' })
    expect(Number(/exposure level[^:]*: ([\d.]+)/.exec(stdout)?.[1])).toBeLessThan(1.5)
  })

  it('waits longer than a drain takes, and does not start again with a config that is wrong', () => {
    const unit = readFileSync(join(DEPLOY, 'systemd', 'postern.service'), 'utf8')
    expect(Number(/TimeoutStopSec=(\d+)s/.exec(unit)?.[1])).toBeGreaterThan(25)
    expect(unit).toContain('RestartPreventExitStatus=78')
    // Node compiles code at run time.
    expect(unit).not.toContain('MemoryDenyWriteExecute')
  })
})

describe('rules of Prometheus', () => {
  const PROMETHEUS = join(DEPLOY, 'prometheus')
  it.skipIf(missing('promtool'))('are accepted, and each alert has a test that passes', () => {
    expect(spawnSync('promtool', ['check', 'config', join(PROMETHEUS, 'prometheus.yml')], { encoding: 'utf8' })).toMatchObject({ status: 0 })
    expect(spawnSync('promtool', ['test', 'rules', join(PROMETHEUS, 'alerts.test.yml')], { encoding: 'utf8' })).toMatchObject({ status: 0 })
    const { groups } = parse(readFileSync(join(PROMETHEUS, 'alerts.yml'), 'utf8')) as { groups: { rules: { alert: string }[] }[] }
    const tests = readFileSync(join(PROMETHEUS, 'alerts.test.yml'), 'utf8')
    for (const { alert } of groups.flatMap(({ rules }) => rules)) expect(tests).toContain(`alertname: ${alert}\n        exp_alerts:\n          -`)
  })
})

describe('compose', () => {
  it('publishes on loopback alone, and never the API', () => {
    const { services } = parse(readFileSync(join(DEPLOY, 'compose', 'compose.yaml'), 'utf8')) as { services: Record<string, { ports?: string[]; read_only?: boolean; user?: string }> }
    expect(Object.keys(services).toSorted()).toEqual(['api', 'postern', 'prometheus', 'redis'])
    for (const port of Object.values(services).flatMap(({ ports }) => ports ?? [])) expect(port).toMatch(/^127\.0\.0\.1:/)
    expect([services['api']!.ports, services['postern']!.read_only, services['postern']!.user]).toEqual([undefined, true, '65532:65532'])
  })

  it('its config is taken with the variables that it sets', async () => {
    const { services } = parse(readFileSync(join(DEPLOY, 'compose', 'compose.yaml'), 'utf8')) as { services: { postern: { environment: Record<string, string> } } }
    const { code, stderr } = await runPostern(['check', '--config', join(DEPLOY, 'compose', 'postern.yaml')], services.postern.environment)
    expect([code, stderr]).toEqual([0, expect.stringContaining('http://api:3000')])
  })
})

describe('postern snippet', () => {
  const config = join(DEPLOY, 'kubernetes', 'forward-auth', 'postern.yaml')
  it.each(['nginx', 'caddy', 'traefik', 'haproxy', 'envoy', 'envoy-gateway', 'istio', 'kubernetes', 'compose', 'systemd', 'prometheus'])('%s is printed for the config it is asked about', async (name) => {
    const { code, stdout } = await runPostern(['snippet', name, '--config', config])
    expect([code, stdout.includes('undefined'), stdout.length > 100]).toEqual([0, false, true])
    if (['nginx', 'caddy', 'traefik', 'haproxy', 'envoy', 'istio', 'envoy-gateway'].includes(name)) expect(stdout.toLowerCase()).toContain('x-user-email')
  })

  it('says where things are, when the config does not, and writes nothing over', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-snippet-'))
    const args = ['snippet', 'haproxy', '--config', config, '--postern', 'auth.internal:9000', '--api', 'api.internal:81', '--listen', '0.0.0.0:80', '--write', folder]
    expect((await runPostern(args)).code).toBe(0)
    expect(readFileSync(join(folder, 'haproxy.cfg'), 'utf8')).toMatch(/bind 0\.0\.0\.0:80[^]*server api api\.internal:81/)
    expect(readFileSync(join(folder, 'postern.lua'), 'utf8')).toContain('http://auth.internal:9000/_postern/forward')
    const again = await runPostern(args)
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('exists already')])
    rmSync(folder, { recursive: true })
  })

  it('prints Envoy over gRPC when the config listens for it', async () => {
    const { stdout } = await runPostern(['snippet', 'envoy', '--config', config], { POSTERN_FORWARD_AUTH_GRPC: '127.0.0.1:8082' })
    const envoy = parse(stdout) as { static_resources: { clusters: { name: string; load_assignment: unknown; typed_extension_protocol_options?: unknown }[] } }
    expect(stdout).toMatch(/encode_raw_headers: true[^]*envoy_grpc: \{ cluster_name: postern \}/)
    expect(envoy.static_resources.clusters.map(({ name, typed_extension_protocol_options: options }) => [name, options !== undefined])).toEqual([['postern', true], ['api', false]])
  })

  it('refuses names and addresses that it does not know, and callers that nobody would answer', async () => {
    expect((await runPostern(['snippet', 'apache', '--config', config])).code).toBe(2)
    expect((await runPostern(['snippet', 'nginx', '--config', config, '--api', 'x; } evil {'])).code).toBe(2)
    expect((await runPostern(['snippet', 'nginx', '--config', join(DEPLOY, 'kubernetes', 'sidecar', 'postern.yaml')])).code).toBe(78)
  })
})
