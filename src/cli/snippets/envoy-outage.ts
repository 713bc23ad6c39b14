import { REQUEST_ID, type SnippetFacts } from './facts.ts'

/** A text in the format language of Envoy, between single quotes of YAML. */
const formatted = (text: string): string => text.replaceAll('%', '%%').replaceAll(REQUEST_ID, '%REQ(X-REQUEST-ID)%').replaceAll("'", "''")

/**
 * What clients are told when ext_authz has no answer. Over HTTP Envoy takes every 5xx for that, and what Postern wrote is lost; so
 * Envoy says it again. An answer of 503 that came over gRPC is none of these, and is left as it came.
 */
export const outageReply = ({ outage, refusalType }: SnippetFacts): string => `                local_reply_config:
                  mappers:
                    - filter:
                        extension_filter:
                          name: envoy.access_loggers.extension_filters.cel
                          typed_config:
                            "@type": type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter
                            expression: response.code_details == "ext_authz_error"
                      status_code: ${outage.status}
                      headers_to_add:
${outage.retryAfter === '' ? '' : `                        - { header: { key: retry-after, value: "${outage.retryAfter}" } }\n`}                        - { header: { key: cache-control, value: no-store } }
                        - { header: { key: x-request-id, value: "%REQ(X-REQUEST-ID)%" } }
                      body_format_override:
                        content_type: ${refusalType}
                        text_format_source: { inline_string: '${formatted(outage.body)}' }`
