import { askedHeaders, copiedHeaders } from './envoy.ts'
import type { Snippet, SnippetFacts } from './facts.ts'

const list = (names: readonly string[], indent: string): string => names.map((name) => `${indent}- ${name}`).join('\n')

const portOf = (address: string): string => address.split(':').at(-1) ?? '8080'

/** A SecurityPolicy for a route of Envoy Gateway. */
export function envoyGatewaySnippet(facts: SnippetFacts): Snippet {
  const text = `# Made by \`postern snippet envoy-gateway\`. Postern runs as the Service "postern" of this namespace.
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata:
  name: postern
spec:
  targetRefs:
    - { group: gateway.networking.k8s.io, kind: HTTPRoute, name: api }
  extAuth:
    # With true, a request is let through whenever Postern answers 5xx or not at all.
    failOpen: false
    headersToExtAuth:
${list(askedHeaders(facts), '      ')}
    http:
      path: /_postern/envoy
      backendRefs:
        - { name: postern, port: ${portOf(facts.postern)} }
      headersToBackend:
${list(copiedHeaders(facts), '        ')}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata:
  name: postern
spec:
  targetRefs:
    - { group: gateway.networking.k8s.io, kind: Gateway, name: gateway }
  # X_User_Id would be X-User-Id to many frameworks.
  headers: { withUnderscoresAction: RejectRequest }
`
  return new Map([['security-policy.yaml', text]])
}

/** An extension provider for the mesh, and the policy that uses it. */
export function istioSnippet(facts: SnippetFacts): Snippet {
  const text = `# Made by \`postern snippet istio\`. The first part belongs into the mesh config.
meshConfig:
  extensionProviders:
    - name: postern
      envoyExtAuthzHttp:
        service: postern.postern.svc.cluster.local
        port: ${portOf(facts.postern)}
        pathPrefix: /_postern/envoy
        timeout: 2s
        # With true, a request is let through whenever Postern answers 5xx or not at all.
        failOpen: false
        statusOnError: "503"
        includeRequestHeadersInCheck:
${list(['authorization', ...askedHeaders(facts)], '          ')}
        headersToUpstreamOnAllow:
${list(copiedHeaders(facts), '          ')}
        headersToDownstreamOnAllow:
          - ratelimit
          - ratelimit-policy
`
  const policy = `# Made by \`postern snippet istio\`. What Postern knows no route for is refused, so nothing is left out here.
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: postern
spec:
  selector: { matchLabels: { app: api } }
  action: CUSTOM
  provider: { name: postern }
  rules: [{}]
`
  return new Map([['mesh-config.yaml', text], ['authorization-policy.yaml', policy]])
}
