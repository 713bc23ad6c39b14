import type { Snippet, SnippetFacts } from './facts.ts'

/** Traefik's dynamic configuration, for the file provider. */
export function traefikSnippet(facts: SnippetFacts): Snippet {
  const secret = facts.secret
    ? `    postern-secret:
      headers:
        customRequestHeaders:
          X-Postern-Secret: '{{ env "POSTERN_SECRET" }}'
`
    : ''
  const text = `# Dynamic configuration, made by \`postern snippet traefik\`.
# Behind another proxy, name it in the entry point's forwardedHeaders.trustedIPs. An entry point should have
# http.aliasHeadersStrategy: reject (before Traefik 3.7.12 and where it does not know that: underscoreHeadersStrategy).
http:
  routers:
    api:
      rule: PathPrefix(\`/\`)
      service: api
      middlewares: [${facts.secret ? 'postern-secret, ' : ''}postern]
  middlewares:
${secret}    postern:
      forwardAuth:
        address: http${facts.tls ? 's' : ''}://${facts.postern}/_postern/forward
${facts.tls ? '        tls: { ca: /etc/traefik/postern-ca.pem }\n' : ''}        trustForwardHeader: false
        maxResponseBodySize: 65536
        # Each of these is deleted from the client's request first, and then set when Postern returns it.
        authResponseHeaders:
${[...facts.identity, ...facts.stripped, 'X-Postern-Secret'].map((name) => `          - ${name}`).join('\n')}
  services:
    api:
      loadBalancer:
        servers:
          - url: http://${facts.api}
`
  return new Map([['dynamic.yaml', text]])
}
