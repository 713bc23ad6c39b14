import { stringify } from 'yaml'
import { askedHeaders, copiedHeaders } from './envoy.ts'
import type { Snippet, SnippetFacts } from './facts.ts'

/** Ports of a pod; the config's own addresses are replaced by variables, since kubelet and Service ask at the address of the pod. */
const HTTP = 8080
const OPS = 9090

const CONFIG_FOLDER = '/etc/postern'

const probe = (path: string, timing: Readonly<Record<string, number>>): object => ({ httpGet: { path, port: OPS }, ...timing })

/** The container, the same in every form. Numbers for ports: named ones of native sidecars are not known to NetworkPolicies everywhere. */
function container({ version }: SnippetFacts): Record<string, unknown> {
  return {
    name: 'postern',
    image: `ghcr.io/example/postern:${version}`,
    args: ['run', '--config', `${CONFIG_FOLDER}/postern.yaml`],
    env: [
      { name: 'POSTERN_LISTEN', value: `0.0.0.0:${HTTP}` },
      { name: 'POSTERN_OPS', value: `0.0.0.0:${OPS}` },
      { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    ],
    ports: [{ name: 'auth-http', containerPort: HTTP }, { name: 'auth-ops', containerPort: OPS }],
    // Never looks at the API: a native sidecar starts before it.
    startupProbe: probe('/startupz', { periodSeconds: 1, failureThreshold: 30 }),
    readinessProbe: probe('/readyz', { periodSeconds: 5, failureThreshold: 2 }),
    livenessProbe: probe('/livez', { periodSeconds: 10, failureThreshold: 3 }),
    securityContext: {
      runAsNonRoot: true, runAsUser: 65_532, runAsGroup: 65_532, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] }, seccompProfile: { type: 'RuntimeDefault' },
    },
    // No CPU limit: throttling is latency of every request.
    resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '192Mi' } },
    // The folder, not a file by subPath, which would never change.
    volumeMounts: [{ name: 'postern-config', mountPath: CONFIG_FOLDER, readOnly: true }],
  }
}

const VOLUMES = [{ name: 'postern-config', configMap: { name: 'postern' } }]

const written = (about: string, ...documents: object[]): string => `# ${about}\n${documents.map((document) => stringify(document, { lineWidth: 0 })).join('---\n')}`

/** Adds Postern to every Deployment of a kustomization and points its Services there. */
function component(facts: SnippetFacts, native: boolean): string {
  const one = container(facts)
  const podSpec = native ? { initContainers: [{ ...one, restartPolicy: 'Always' }], volumes: VOLUMES } : { containers: [one], volumes: VOLUMES }
  const patch = stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'any' }, spec: { template: { spec: podSpec } } }, { lineWidth: 0 })
  const about = native ? 'Native sidecar, Kubernetes 1.29 and newer' : 'Ordinary second container, for older clusters and podman'
  return written(`${about}; made by \`postern snippet kubernetes\`. Your config is ./postern.yaml. Let the API listen on 127.0.0.1 and give it
# "lifecycle: { preStop: { sleep: { seconds: 5 } } }", so that requests under way end before it does.`, {
    apiVersion: 'kustomize.config.k8s.io/v1alpha1',
    kind: 'Component',
    configMapGenerator: [{ name: 'postern', files: ['postern.yaml'] }],
    patches: [
      { target: { kind: 'Deployment' }, patch },
      { target: { kind: 'Service' }, patch: JSON.stringify([{ op: 'replace', path: '/spec/ports/0/targetPort', value: HTTP }]) },
    ],
  })
}

const LABELS = { 'app.kubernetes.io/name': 'postern' }

function deployment(facts: SnippetFacts): object {
  const grace = Math.max(30, facts.drainSeconds + 5)
  return {
    apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'postern', labels: LABELS },
    spec: {
      selector: { matchLabels: LABELS },
      strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels: LABELS },
        spec: {
          automountServiceAccountToken: false, terminationGracePeriodSeconds: grace, containers: [container(facts)], volumes: VOLUMES,
          topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: { matchLabels: LABELS } }],
        },
      },
    },
  }
}

const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'postern', labels: LABELS }, spec: { selector: LABELS, ports: [{ name: 'http', port: HTTP, targetPort: HTTP }] } }

const autoscaler = {
  apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: { name: 'postern' },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'postern' }, minReplicas: 2, maxReplicas: 10,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'AverageValue', averageValue: '400m' } } }],
  },
}

const disruptionBudget = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'postern' }, spec: { minAvailable: 1, selector: { matchLabels: LABELS } } }

/** Checks from the proxies, scrapes from where Prometheus runs; nobody else. Egress stays open: issuers and the store are elsewhere. */
const networkPolicy = {
  apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'postern' },
  spec: {
    podSelector: { matchLabels: LABELS }, policyTypes: ['Ingress'],
    ingress: [
      { from: [{ namespaceSelector: { matchLabels: { 'postern.example/may-ask': 'true' } } }], ports: [{ protocol: 'TCP', port: HTTP }] },
      { from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }], ports: [{ protocol: 'TCP', port: OPS }] },
    ],
  },
}

const podMonitor = {
  apiVersion: 'monitoring.coreos.com/v1', kind: 'PodMonitor', metadata: { name: 'postern', labels: LABELS },
  spec: { selector: { matchLabels: LABELS }, podMetricsEndpoints: [{ portNumber: OPS, path: '/metrics', interval: '15s' }] },
}

const KUSTOMIZATION = {
  apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization',
  resources: ['postern-deployment.yaml', 'postern-access.yaml', 'pod-monitor.yaml'],
  configMapGenerator: [{ name: 'postern', files: ['postern.yaml'] }],
}

/** Traefik's ForwardAuth as its operator knows it. */
const traefikMiddleware = ({ identity, stripped }: SnippetFacts): object => ({
  apiVersion: 'traefik.io/v1alpha1', kind: 'Middleware', metadata: { name: 'postern' },
  spec: { forwardAuth: { address: `http://postern:${HTTP}/_postern/forward`, trustForwardHeader: false, maxResponseBodySize: 65_536, authResponseHeaders: [...identity, ...stripped, 'X-Postern-Secret'] } },
})

/** GEP-1494: a filter of the Gateway API that not every implementation has yet. An empty list of response headers would copy all. */
const externalAuthRoute = (facts: SnippetFacts): object => ({
  apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute', metadata: { name: 'api' },
  spec: {
    parentRefs: [{ name: 'gateway' }],
    rules: [{
      filters: [{
        type: 'ExternalAuth',
        externalAuth: { protocol: 'HTTP', backendRef: { name: 'postern', port: HTTP }, http: { path: '/_postern/envoy', allowedHeaders: askedHeaders(facts), allowedResponseHeaders: copiedHeaders(facts) } },
      }],
      backendRefs: [{ name: 'api', port: 80 }],
    }],
  },
})

function standAlone(facts: SnippetFacts): Snippet {
  return new Map([
    ['kustomization.yaml', written('Stand-alone forward-auth, made by `postern snippet kubernetes`. Your config is ./postern.yaml; leave out pod-monitor.yaml without the Prometheus operator.', KUSTOMIZATION)],
    ['postern-deployment.yaml', written('The number of replicas is the autoscaler\'s.', deployment(facts), service, autoscaler, disruptionBudget)],
    ['postern-access.yaml', written('Label the namespaces of your proxies: kubectl label namespace NAME postern.example/may-ask=true', networkPolicy)],
    ['pod-monitor.yaml', written('Needs the Prometheus operator.', podMonitor)],
    ['example-traefik.yaml', written('Name it in the middlewares of a route. With a shared secret, put a headers middleware before it.', traefikMiddleware(facts))],
    ['example-gateway-api.yaml', written('ExternalAuth is experimental. It cannot tell the upstream what to lose, so credentials reach the API.', externalAuthRoute(facts))],
  ])
}

/** A sidecar in both forms for a config that proxies, a Deployment for one that answers checks. */
export function kubernetesSnippet(facts: SnippetFacts): Snippet {
  if (facts.forwardAuth) return standAlone(facts)
  return new Map([['sidecar/kustomization.yaml', component(facts, true)], ['second-container/kustomization.yaml', component(facts, false)]])
}
