import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { missing } from '../support/callers/process.ts'
import { renderChart, renderTemplate } from '../support/helm-template.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const CHART = join(ROOT, 'deploy', 'helm', 'postern')
const BASE = join(ROOT, 'deploy', 'kubernetes', 'forward-auth')
const read = (...path: string[]): string => readFileSync(join(...path), 'utf8')

interface Manifest { kind: string; metadata: { name: string }; data?: Record<string, string>; spec: Record<string, unknown> }

const config = read(BASE, 'postern.yaml')
const byKind = (manifests: readonly Manifest[]): Manifest[] => manifests.toSorted((one, other) => one.kind.localeCompare(other.kind))
const documentsOf = (text: string): Manifest[] => parseAllDocuments(text).map((document) => document.toJS() as Manifest).filter((manifest) => manifest !== null)
/** The kustomize base, the ConfigMap that it generates included. */
const base = byKind([
  ...['postern-deployment.yaml', 'postern-access.yaml', 'pod-monitor.yaml'].flatMap((file) => documentsOf(read(BASE, file))),
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'postern' }, data: { 'postern.yaml': config } } as unknown as Manifest,
])
const render = (over: Record<string, unknown> = {}): Manifest[] => byKind(renderChart(CHART, { config, ...over }) as Manifest[])
const values = parse(read(CHART, 'values.yaml')) as Record<string, unknown>
const schema = z.fromJSONSchema(JSON.parse(read(CHART, 'values.schema.json')) as Parameters<typeof z.fromJSONSchema>[0])

describe('the Helm chart', () => {
  it('makes what the kustomize base is', () => {
    expect(render({ podMonitor: { enabled: true } })).toEqual(base)
  })

  it('makes no PodMonitor unless asked, and no network policy when told not to', () => {
    expect(render({ networkPolicy: { ...values['networkPolicy'] as object, enabled: false } }).map(({ kind }) => kind)).toEqual(['ConfigMap', 'Deployment', 'HorizontalPodAutoscaler', 'PodDisruptionBudget', 'Service'])
  })

  it('carries secrets as variables and as a folder that only the pod reads', () => {
    const deployment = render({ secret: 'partner', envFrom: [{ secretRef: { name: 'keys' } }], imagePullSecrets: [{ name: 'pull' }] }).find(({ kind }) => kind === 'Deployment')!
    const pod = (deployment.spec['template'] as { spec: { containers: { envFrom: unknown; volumeMounts: unknown[] }[]; volumes: unknown[]; securityContext: unknown; imagePullSecrets: unknown } }).spec
    expect(pod.containers[0]!.envFrom).toEqual([{ secretRef: { name: 'keys' } }])
    expect(pod.containers[0]!.volumeMounts[1]).toEqual({ name: 'postern-secret', mountPath: '/run/secrets/postern', readOnly: true })
    expect(pod.volumes[1]).toEqual({ name: 'postern-secret', secret: { secretName: 'partner', defaultMode: 0o440 } })
    expect(pod.securityContext).toEqual({ fsGroup: 65_532 })
    expect(pod.imagePullSecrets).toEqual([{ name: 'pull' }])
  })

  it('a config with every character of YAML and of templates arrives as it was', () => {
    const odd = 'a: "{{ .Values.x }}"\n# é ☃ \\ \' " \t <>&\n---\n- |\n  x\n'
    expect(render({ config: odd }).find(({ kind }) => kind === 'ConfigMap')!.data).toEqual({ 'postern.yaml': odd })
  })

  it('is not installed without a config, nor with a value that does not exist', () => {
    expect(schema.safeParse({ ...values, config }).error?.issues).toBeUndefined()
    for (const wrong of [{}, { config, replica: 3 }, { config, image: 'postern' }, { config, replicas: { min: 0, max: 1 } }, { config, networkPolicy: { enabled: true, askers: {}, monitoring: { a: 'b' } } }]) {
      expect(schema.safeParse({ ...values, ...wrong }).success, JSON.stringify(wrong)).toBe(false)
    }
  })

  it('is of the version of the package, and uses every value that it documents', () => {
    const { version } = JSON.parse(read(ROOT, 'package.json')) as { version: string }
    expect(parse(read(CHART, 'Chart.yaml'))).toMatchObject({ version, appVersion: version })
    const templates = readdirSync(join(CHART, 'templates')).map((name) => read(CHART, 'templates', name)).join('\n')
    for (const name of Object.keys(values)) expect(templates).toMatch(new RegExp(`\\.Values\\.${name}\\b`))
  })

  it.each(['{{ .Values.nothing | toJson }}', '{{ .Values.name }}', '{{ include "x" . }}', '{{- if .Values.name }}', '{{- end }}', '{{ .Release.Name | toJson }}', '{{ .Values.name | toJson | upper }}'])('the renderer of these tests refuses %s', (text) => {
    expect(() => renderTemplate(text, values)).toThrow()
  })
})

describe.skipIf(missing('helm', { optional: true }))('helm itself', () => {
  it('accepts the chart, and renders what the renderer of these tests does', () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-helm-'))
    const file = join(folder, 'postern.yaml')
    writeFileSync(file, config)
    // A helm built by hand takes itself for one of an old cluster.
    const given = ['--kube-version', '1.34.0', '--set-file', `config=${file}`, '--set', 'podMonitor.enabled=true']
    expect(spawnSync('helm', ['lint', '--strict', CHART, ...given], { encoding: 'utf8' })).toMatchObject({ status: 0 })
    const secrets = ['--set', 'secret=partner', '--set', 'envFrom[0].secretRef.name=keys']
    const helm = (args: readonly string[]): Manifest[] => byKind(documentsOf(execFileSync('helm', ['template', 'any', CHART, ...args], { encoding: 'utf8' })))
    expect(helm(given)).toEqual(base)
    expect(helm([...given, ...secrets])).toEqual(render({ podMonitor: { enabled: true }, secret: 'partner', envFrom: [{ secretRef: { name: 'keys' } }] }))
    const without = spawnSync('helm', ['template', 'any', CHART, '--kube-version', '1.34.0'], { encoding: 'utf8' })
    expect([without.status, without.stderr]).toEqual([1, expect.stringContaining('config')])
    rmSync(folder, { recursive: true })
  })
})
