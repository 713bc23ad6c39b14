/**
 * Names that are removed from every request, whatever the config says: with one of them a client could tell the upstream
 * something that only a proxy may say. A trailing `*` matches any ending. Extended by `forward.strip`.
 */
export const SHIPPED_OWNED_NAMES: readonly string[] = [
  // Where the request came from and what it asked for (T22, T25). Read from trusted proxies, then written anew.
  'forwarded', 'x-forwarded', 'x-forwarded-*', 'x-real-ip', 'x-client-ip', 'x-cluster-client-ip', 'x-remote-ip', 'x-remote-addr',
  'x-originating-ip', 'client-ip', 'x-proxyuser-ip', 'x-custom-ip-authorization',
  'true-client-ip', 'cf-connecting-ip', 'cf-connecting-ipv6', 'cf-pseudo-ipv4', 'fastly-client-ip',
  'fly-client-ip', 'x-azure-clientip', 'x-azure-socketip', 'x-appengine-user-ip',
  // Another host or path than the one that was judged (T18, T22).
  'x-host', 'x-http-host-override', 'x-original-*', 'x-rewrite-*',
  // Another scheme than the one that was used: Rails, WSGI servers and IIS believe these.
  'front-end-https', 'x-url-scheme', 'x-scheme',
  // Another method than the one that was judged (T21).
  'x-http-method-override', 'x-http-method', 'x-method-override', '_method',
  // Words that only neighbours may say to each other (T24); the first is CVE-2025-29927.
  'x-middleware-subrequest*', 'x-middleware-rewrite', 'x-middleware-next', 'x-middleware-override-headers', 'x-middleware-request-*',
  'x-envoy-*', 'x-accel-*',
  // Identities that other gateways assert (T24, RFC 9440).
  'x-amzn-oidc-*', 'x-amzn-mtls-*', 'x-goog-iap-*', 'x-goog-authenticated-user-*', 'x-auth-request-*',
  'x-ms-client-principal*', 'x-ms-token-*', 'x-authentik-*',
  'x-pomerium-*', 'x-vouch-*', 'x-authenticated-*', 'tailscale-user-*',
  'x-consumer-*', 'x-credential-identifier', 'x-anonymous-consumer', 'x-webauth-*', 'x-remote-user*', 'x-remote-group*',
  'x-remote-extra-*', 'remote-user', 'remote-groups', 'remote-name', 'remote-email', 'cf-access-authenticated-user-email',
  'client-cert', 'client-cert-chain', 'x-client-cert*', 'ssl-client-*', 'x-ssl-*', 'x-arr-*',
  // The environment variable HTTP_PROXY of CGI programs ("httpoxy", CVE-2016-5385).
  'proxy',
]
