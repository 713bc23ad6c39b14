import type { Snippet, SnippetFacts } from './facts.ts'

/** A Caddyfile: Caddy in front of an API, Postern asked about each request. */
export function caddySnippet(facts: SnippetFacts): Snippet {
  const [host = '', port = ''] = facts.listen.split(/:(?=\d+$)/)
  const text = `# Caddyfile, made by \`postern snippet caddy\`. For TLS write a name, such as api.example.com, for the address.
http://:${port} {
	bind ${host}
	# The order matters: directives that delete request headers would run after forward_auth and delete what it copied.
	route {
		forward_auth ${facts.tls ? 'https://' : ''}${facts.postern} {
			uri /_postern/forward
			header_up X-Postern-Secret ${facts.secret ? '{env.POSTERN_SECRET}' : '""'}
			copy_headers ${[...facts.identity, ...facts.stripped].join(' ')}
${facts.tls ? '\t\t\ttransport http {\n\t\t\t\ttls_trusted_ca_certs /etc/caddy/postern-ca.pem\n\t\t\t}\n' : ''}		}
		reverse_proxy ${facts.api}
	}
}
`
  return new Map([['Caddyfile', text]])
}
