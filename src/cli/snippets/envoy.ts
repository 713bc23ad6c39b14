import type { Snippet, SnippetFacts } from './facts.ts'

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

function cluster(name: string, address: string): string {
  const [host = '', port = ''] = address.split(/:(?=\d+$)/)
  return `    - name: ${name}
      type: STRICT_DNS
      connect_timeout: 1s
      load_assignment:
        cluster_name: ${name}
        endpoints:
          - lb_endpoints:
              - endpoint: { address: { socket_address: { address: ${host}, port_value: ${port} } } }`
}

/** A whole Envoy, with the HTTP form of ext_authz. */
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
                      allowed_headers:
                        patterns:
${patterns(askedHeaders(facts), '                          ')}
                          # x.user.id is X-User-Id to some frameworks; Postern refuses it when it sees it.
                          - { safe_regex: { regex: '.*\\..*' } }
                      http_service:
                        server_uri: { uri: http://${facts.postern}, cluster: postern, timeout: 2s }
                        path_prefix: /_postern/envoy
                        authorization_response:
                          allowed_upstream_headers:
                            patterns:
${patterns(copiedHeaders(facts), '                              ')}
                          allowed_client_headers_on_success:
                            patterns:
${patterns(['ratelimit', 'ratelimit-policy'], '                              ')}
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
${cluster('postern', facts.postern)}
${cluster('api', facts.api)}
`
  return new Map([['envoy.yaml', text]])
}
