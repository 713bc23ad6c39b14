import { caddySnippet } from './caddy.ts'
import { composeSnippet } from './compose.ts'
import { envoySnippet } from './envoy.ts'
import type { Snippet, SnippetFacts } from './facts.ts'
import { haproxySnippet } from './haproxy.ts'
import { kubernetesSnippet } from './kubernetes.ts'
import { envoyGatewaySnippet, istioSnippet } from './mesh.ts'
import { nginxSnippet } from './nginx.ts'
import { prometheusSnippet } from './prometheus.ts'
import { systemdSnippet } from './systemd.ts'
import { traefikSnippet } from './traefik.ts'

export interface SnippetKind {
  readonly make: (facts: SnippetFacts) => Snippet
  /** Of use only when Postern answers checks. */
  readonly checks: boolean
}

/** Every snippet by the name it is asked for. */
export const SNIPPETS: Readonly<Record<string, SnippetKind>> = {
  nginx: { make: nginxSnippet, checks: true },
  caddy: { make: caddySnippet, checks: true },
  traefik: { make: traefikSnippet, checks: true },
  haproxy: { make: haproxySnippet, checks: true },
  envoy: { make: envoySnippet, checks: true },
  'envoy-gateway': { make: envoyGatewaySnippet, checks: true },
  istio: { make: istioSnippet, checks: true },
  kubernetes: { make: kubernetesSnippet, checks: false },
  compose: { make: composeSnippet, checks: false },
  systemd: { make: systemdSnippet, checks: false },
  prometheus: { make: prometheusSnippet, checks: false },
}
