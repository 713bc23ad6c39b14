import { askedHeaders, copiedHeaders } from './envoy.ts'
import type { Snippet, SnippetFacts } from './facts.ts'

const list = (names: readonly string[], indent: string): string => names.map((name) => `${indent}- ${name}`).join('\n')

const portOf = (address: string): string => address.split(':').at(-1) ?? '8080'

/** Over gRPC the secret stands beside the request and comes from a Secret; over HTTP it can only be written into the request. */
const gatewayCheck = (facts: SnippetFacts): string => facts.grpc === undefined
  ? `    headersToExtAuth:
${list([...askedHeaders(facts), ...(facts.secret ? ['x-postern-secret'] : [])], '      ')}
    http:
      path: /_postern/envoy
      backendRefs:
        - { name: postern, port: ${portOf(facts.postern)} }
      headersToBackend:
${list(copiedHeaders(facts), '        ')}`
  : `    grpc:
      backendRefs:
        - { name: postern, port: ${portOf(facts.grpc)} }${facts.secret ? `
    # kubectl create secret generic postern-secret --from-literal=secret=...
    contextExtensions:
      - { name: x-postern-secret, type: ValueRef, valueRef: { group: "", kind: Secret, name: postern-secret, key: secret } }` : ''}`

/** A header that is there before any filter looks, whatever the client sent under its name. Postern has it taken away again. */
const earlySecret = ({ secret, grpc }: SnippetFacts): string => secret && grpc === undefined ? `
    # Who may read this policy may ask Postern. Over gRPC ("forward_auth: { grpc: ... }") the value stands in a Secret instead.
    earlyRequestHeaders: { set: [{ name: X-Postern-Secret, value: REPLACE-WITH-THE-SECRET }] }` : ''

const backendTls = ({ tls, grpc, grpcTls }: SnippetFacts): string => (grpc === undefined ? tls : grpcTls) ? `---
# Who Postern is: the authority that its certificate is of, in the ConfigMap "postern-ca", key ca.crt.
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata:
  name: postern
spec:
  targetRefs: [{ group: "", kind: Service, name: postern }]
  validation:
    hostname: postern
    caCertificateRefs: [{ group: "", kind: ConfigMap, name: postern-ca }]
` : ''

/** Without a secret an address is all that tells the gateway from others. */
const onlyAddresses = ({ secret }: SnippetFacts): string => secret ? '' : `
# No secret is configured, so Postern answers whoever is in client_ip.trusted_proxies: let a NetworkPolicy admit the gateway's pods alone.`

/** A SecurityPolicy for a route of Envoy Gateway. */
export function envoyGatewaySnippet(facts: SnippetFacts): Snippet {
  const text = `# Made by \`postern snippet envoy-gateway\`, for Envoy Gateway 1.9. Postern runs as the Service "postern" of this namespace.${onlyAddresses(facts)}
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
    # Instead of 403, which would say that the client may not.
    statusOnError: 503
    timeout: 2s
${gatewayCheck(facts)}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata:
  name: postern
spec:
  targetRefs:
    - { group: gateway.networking.k8s.io, kind: Gateway, name: gateway }
  headers:
    # X_User_Id would be X-User-Id to many frameworks.
    withUnderscoresAction: RejectRequest${earlySecret(facts)}
${backendTls(facts)}`
  return new Map([['security-policy.yaml', text]])
}

/** Istio's gRPC provider can carry no secret, so with one it asks over HTTP. */
const meshCheck = (facts: SnippetFacts): string => facts.grpc !== undefined && !facts.secret
  ? `      envoyExtAuthzGrpc:
        service: postern.postern.svc.cluster.local
        port: ${portOf(facts.grpc)}
        timeout: 2s
        # With true, a request is let through whenever Postern answers not at all.
        failOpen: false
        statusOnError: "503"`
  : `      envoyExtAuthzHttp:
        service: postern.postern.svc.cluster.local
        port: ${portOf(facts.postern)}
        pathPrefix: /_postern/envoy
        timeout: 2s
        # With true, a request is let through whenever Postern answers 5xx or not at all.
        failOpen: false
        statusOnError: "503"
        includeRequestHeadersInCheck:
${list(['authorization', ...askedHeaders(facts)], '          ')}${facts.secret ? `
        # Overwrites what a client sends under this name. Who may read the mesh config may ask Postern.
        includeAdditionalHeadersInCheck: { x-postern-secret: REPLACE-WITH-THE-SECRET }` : ''}
        headersToUpstreamOnAllow:
${list(copiedHeaders(facts), '          ')}
        headersToDownstreamOnAllow:
          - ratelimit
          - ratelimit-policy`

/** An extension provider for the mesh, and the policy that uses it. */
export function istioSnippet(facts: SnippetFacts): Snippet {
  const alone = facts.secret ? '' : `
# No secret is configured, so Postern answers whoever is in client_ip.trusted_proxies: let an AuthorizationPolicy of its own, or a
# NetworkPolicy, admit the workloads that ask and nobody else. Only envoyExtAuthzHttp can show a secret; envoyExtAuthzGrpc cannot.`
  const text = `# Made by \`postern snippet istio\`. The first part belongs into the mesh config.${alone}${facts.tls || facts.grpcTls ? '\n# Postern speaks TLS itself: give its host a DestinationRule with tls.mode SIMPLE and the authority in caCertificates.' : ''}
meshConfig:
  extensionProviders:
    - name: postern
${meshCheck(facts)}
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
