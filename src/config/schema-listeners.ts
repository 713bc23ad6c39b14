import { z } from 'zod'
import { address, count, flag, oneOrMore, positiveDuration, size, text } from './scalars.ts'

const tls = z.strictObject({
  certificate: text.describe('PEM file; re-read when it changes.'),
  key: text.describe('PEM file of the private key.'),
  client_ca: text.optional().describe('PEM file of the authorities whose client certificates are accepted.'),
  client_certificate: z.enum(['off', 'optional', 'required']).default('off').describe('Whether clients must show a certificate of `client_ca`.'),
}).meta({ title: 'listener TLS' })

/** Where clients connect. */
export const listener = z.union([
  address,
  z.strictObject({
    address: address.prefault('127.0.0.1:8080').describe('`host:port`, `:port` for every address, or `unix:/path`.'),
    tls: tls.optional().describe('TLS on our own listener, for those without a proxy in front.'),
    proxy_protocol: flag.prefault(false).describe('Peers in `client_ip.trusted_proxies` speak the PROXY protocol v1 or v2; nobody else may connect. A checksum (v2) is verified where there is one.'),
    max_connections: count.prefault(10_000).describe('More are refused at once.'),
    max_connections_per_client: count.optional().describe('Connections of one peer address.'),
    headers_timeout: positiveDuration.prefault('10s').describe('Until the last header of a request.'),
    body_idle_timeout: positiveDuration.prefault('30s').describe('Longest pause in a request body.'),
    keep_alive_timeout: positiveDuration.prefault('75s').describe('How long an idle connection is kept; longer than that of the proxy in front.'),
    max_header_size: size.prefault('16KiB').describe('All headers of a request together; more is 431.'),
    max_headers: count.prefault(100).describe('Header lines of a request; more is 431.'),
  }),
]).meta({ title: 'listener' })

const checksListener = z.union([
  address,
  z.strictObject({
    address: address.describe('`host:port`, `:port` for every address, or `unix:/path`.'),
    tls: tls.optional().describe('TLS for checks that cross a network. A client certificate is asked for besides the secret or the network, not instead.'),
  }),
]).meta({ title: 'listener for checks' })

/** What answers checks of other proxies. */
export const forwardAuth = z.strictObject({
  listen: checksListener.optional().describe('A listener for checks alone. Default: three paths below `/_postern/` on `listen`.'),
  grpc: checksListener.optional().describe('A listener for Envoy\'s ext_authz over gRPC (HTTP/2, with prior knowledge where there is no TLS).'),
  secret: oneOrMore.optional().describe('What callers must send as X-Postern-Secret, at least 16 characters; several while it is being changed. Without one, callers must be in `client_ip.trusted_proxies` or come over a unix socket.'),
}).meta({ title: 'forward-auth' })
