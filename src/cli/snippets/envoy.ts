import { isIP } from 'node:net'
import { outageReply } from './envoy-outage.ts'
import { serverName, type Snippet, type SnippetFacts } from './facts.ts'

/** What Postern reads besides the request line, Host and Authorization, which Envoy sends by itself. */
export const askedHeaders = ({ credentials }: SnippetFacts): readonly string[] => [
  ...credentials.filter((name) => name !== 'authorization'),
  'x-forwarded-for', 'x-forwarded-proto', 'x-request-id', 'traceparent', 'origin', 'sec-fetch-site', 'access-control-request-method', 'sec-websocket-key',
  // Refused when a client sends them: they ask for another request than the one that is judged.
  'x-http-method-override', 'x-http-method', 'x-method-override', 'x-original-url', 'x-rewrite-url', 'x-middleware-subrequest',
]

/** What Envoy copies into the request. Credentials that are not here are taken away by `x-envoy-auth-headers-to-remove`. */
export const copiedHeaders = ({ identity, credentials }: SnippetFacts): readonly string[] => [...identity.map((name) => name.toLowerCase()), ...(credentials.includes('cookie') ? ['cookie'] : [])]

const patterns = (names: readonly string[], indent: string): string => names.map((name) => `${indent}- { exact: ${name}, ignore_case: true }`).join('\n')

/** Whom Envoy takes for Postern: who has a certificate for this address. */
function overTls(address: string, protocol: string): string {
  const name = serverName(address)
  const ip = isIP(name) > 0
  return `
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext${ip ? '' : `
          sni: ${name}`}
          common_tls_context:
            alpn_protocols: [${protocol}]
            validation_context:
              trusted_ca: { filename: /etc/envoy/postern-ca.pem }
              match_typed_subject_alt_names: [{ san_type: ${ip ? 'IP_ADDRESS' : 'DNS'}, matcher: { exact: "${name}" } }]`
}

/** How Envoy speaks to Postern. Postern closes idle connections, and a check that is sent just then is lost: Envoy is to close them first. */
const toPostern = ({ grpc, postern, tls, grpcTls, idleSeconds }: SnippetFacts): string => `
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          common_http_protocol_options: { idle_timeout: ${idleSeconds}s }
          explicit_http_config: { ${grpc === undefined ? 'http' : 'http2'}_protocol_options: {} }${(grpc === undefined ? tls : grpcTls) ? overTls(grpc ?? postern, grpc === undefined ? 'http/1.1' : 'h2') : ''}`

function cluster(name: string, address: string, protocol = ''): string {
  const [host = '', port = ''] = address.split(/:(?=\d+$)/)
  return `    - name: ${name}
      type: STRICT_DNS
      connect_timeout: 1s${protocol}
      load_assignment:
        cluster_name: ${name}
        endpoints:
          - lb_endpoints:
              - endpoint: { address: { socket_address: { address: ${host}, port_value: ${port} } } }`
}

/** gRPC carries every header line as it came, and answers that Postern gives itself: preflights, and what is left of quotas. */
const overGrpc = ({ secret }: SnippetFacts): string => `                      encode_raw_headers: true
                      grpc_service:
                        envoy_grpc: { cluster_name: postern }
                        timeout: 2s${secret ? '\n                        initial_metadata: [{ key: x-postern-secret, value: "REPLACE-WITH-THE-SECRET" }]' : ''}`

const overHttp = (facts: SnippetFacts): string => `                      allowed_headers:
                        patterns:
${patterns(askedHeaders(facts), '                          ')}
                          # x.user.id is X-User-Id to some frameworks; Postern refuses it when it sees it.
                          - { safe_regex: { regex: '.*\\..*' } }
                      http_service:
                        server_uri: { uri: http://${facts.postern}, cluster: postern, timeout: 2s }
                        path_prefix: /_postern/envoy
${facts.secret ? '                        authorization_request: { headers_to_add: [{ key: x-postern-secret, value: "REPLACE-WITH-THE-SECRET" }] }\n' : ''}                        authorization_response:
                          allowed_upstream_headers:
                            patterns:
${patterns(copiedHeaders(facts), '                              ')}
                          allowed_client_headers_on_success:
                            patterns:
${patterns(['ratelimit', 'ratelimit-policy'], '                              ')}`

/** A whole Envoy, with ext_authz over gRPC where the config has a listener for it, over HTTP otherwise. */
export function envoySnippet(facts: SnippetFacts): Snippet {
  const [host = '', port = ''] = facts.listen.split(/:(?=\d+$)/)
  const text = `# Made by \`postern snippet envoy\`.
static_resources:
  listeners:
    - name: clients
      address: { socket_address: { address: ${host}, port_value: ${port} } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: clients
                # The address of the client is that of its connection. Behind another proxy, set xff_num_trusted_hops as well.
                use_remote_address: true
                upgrade_configs: [{ upgrade_type: websocket }]
                common_http_protocol_options: { headers_with_underscores_action: REJECT_REQUEST }
                # Postern refuses odd paths itself; what it judges must be what is sent.
                normalize_path: false
                merge_slashes: false
${outageReply(facts)}
                route_config:
                  virtual_hosts:
                    - name: api
                      domains: ["*"]
                      routes: [{ match: { prefix: / }, route: { cluster: api } }]
                http_filters:
                  - name: envoy.filters.http.ext_authz
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
                      transport_api_version: V3
                      # With true, a request is let through whenever Postern answers 5xx or not at all.
                      failure_mode_allow: false
                      status_on_error: { code: ServiceUnavailable }
                      validate_mutations: true
${facts.grpc === undefined ? overHttp(facts) : overGrpc(facts)}
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
${cluster('postern', facts.grpc ?? facts.postern, toPostern(facts))}
${cluster('api', facts.api)}
`
  return new Map([['envoy.yaml', text]])
}
