// Words that only neighbours may say to each other (T24, T18, T22). Repeats CVE-2025-29927 (Next.js), CVE-2023-27487 (Envoy),
// CVE-2026-35051 and CVE-2026-54764 (Traefik), CVE-2016-5385 ("httpoxy"), and what wordlists such as those of param-miner try.
import { describe, expect, it } from 'vitest'
import { bytesOf, startTarget } from './target.ts'

const { attack } = await startTarget()

/** Not one of these may reach an upstream from a client, in any spelling. */
const NEVER = [
  'forwarded', 'x-forwarded', 'x-forwarded-for', 'x-forwarded-for-original', 'x-forwarded-by', 'x-forwarded-host', 'x-forwarded-server', 'x-forwarded-port', 'x-forwarded-proto', 'x-forwarded-protocol', 'x-forwarded-scheme', 'x-forwarded-ssl', 'x-forwarded-prefix', 'x-forwarded-path', 'x-forwarded-uri', 'x-forwarded-method', 'x-forwarded-user', 'x-forwarded-email', 'x-forwarded-groups', 'x-forwarded-preferred-username', 'x-forwarded-access-token', 'x-forwarded-client-cert', 'x-forwarded-tls-client-cert', 'x-forwarded-context', 'x-forwarded-anything',
  'x-real-ip', 'x-client-ip', 'client-ip', 'x-cluster-client-ip', 'x-remote-ip', 'x-remote-addr', 'x-originating-ip', 'true-client-ip', 'cf-connecting-ip', 'cf-connecting-ipv6', 'cf-pseudo-ipv4', 'fastly-client-ip', 'fly-client-ip', 'x-azure-clientip', 'x-azure-socketip', 'x-appengine-user-ip', 'x-proxyuser-ip', 'x-custom-ip-authorization',
  'x-host', 'x-http-host-override', 'x-original-url', 'x-original-uri', 'x-original-host', 'x-original-method', 'x-original-remote-addr', 'x-original-forwarded-for', 'x-rewrite-url', 'x-rewrite-uri',
  'x-http-method-override', 'x-http-method', 'x-method-override', '_method',
  'front-end-https', 'x-url-scheme', 'x-scheme',
  'x-middleware-subrequest', 'x-middleware-subrequest-id', 'x-middleware-rewrite', 'x-middleware-next', 'x-middleware-override-headers', 'x-middleware-request-x',
  'x-envoy-original-path', 'x-envoy-external-address', 'x-envoy-internal', 'x-envoy-decorator-operation', 'x-envoy-peer-metadata', 'x-accel-redirect', 'x-accel-mapping', 'x-accel-internal',
  'x-amzn-oidc-data', 'x-amzn-oidc-identity', 'x-amzn-oidc-accesstoken', 'x-amzn-mtls-clientcert', 'x-amzn-mtls-clientcert-subject', 'x-goog-iap-jwt-assertion', 'x-goog-authenticated-user-email', 'x-goog-authenticated-user-id', 'x-auth-request-user', 'x-auth-request-email', 'x-auth-request-groups', 'x-auth-request-access-token', 'x-ms-client-principal', 'x-ms-client-principal-id', 'x-ms-client-principal-name', 'x-ms-token-aad-access-token', 'x-authentik-username', 'x-authentik-groups', 'x-pomerium-jwt-assertion', 'x-pomerium-claim-email', 'x-vouch-user', 'x-vouch-idp-claims-groups', 'x-consumer-id', 'x-consumer-username', 'x-consumer-custom-id', 'x-credential-identifier', 'x-anonymous-consumer', 'x-authenticated-userid', 'x-authenticated-scope', 'x-authenticated-user', 'x-webauth-user', 'x-remote-user', 'x-remote-group', 'x-remote-extra-scopes', 'remote-user', 'remote-groups', 'remote-name', 'remote-email', 'cf-access-authenticated-user-email', 'tailscale-user-login', 'tailscale-user-name',
  'client-cert', 'client-cert-chain', 'x-client-cert', 'x-client-cert-dn', 'ssl-client-cert', 'ssl-client-subject-dn', 'ssl-client-verify', 'x-ssl-client-cert', 'x-ssl-client-verify', 'x-ssl-cert', 'x-arr-clientcert',
  'proxy', 'proxy-authorization', 'proxy-connection', 'proxy-host', 'proxy-authenticate',
]
const SPELLINGS: readonly (readonly [string, (name: string) => string])[] = [
  ['as it is', (name) => name], ['in capitals', (name) => name.toUpperCase()], ['with underscores', (name) => name.replaceAll('-', '_')], ['with dots', (name) => name.replaceAll('-', '.')],
]
/** What clients may well send. */
const PASSES = ['accept', 'accept-language', 'user-agent', 'referer', 'range', 'if-none-match', 'cache-control', 'content-language', 'x-custom', 'x-requested-with', 'x-csrf-token', 'x-trace', 'dnt', 'priority', 'sec-ch-ua', 'sec-fetch-site', 'upgrade-insecure-requests', 'x-user', 'x-my-host', 'apikey', 'stripe-signature']

describe.each(SPELLINGS)('a neighbour\'s word %s', (_title, spell) => {
  it.each(Array.from({ length: Math.ceil(NEVER.length / 30) }, (_, index) => NEVER.slice(index * 30, (index + 1) * 30)).map((names) => [names[0]!, names] as const))('never arrives: %s and 29 more', async (_first, names) => {
    const { arrived } = await attack(bytesOf('GET /public/x', [...names.map((name, index) => `${spell(name)}: from-a-client-${index}`), 'Connection: close']))
    expect(arrived).toHaveLength(1)
    const through = arrived[0]!.headers.filter(([, value]) => value.startsWith('from-a-client')).map(([name]) => name)
    expect(through).toEqual([])
  })
})

it('what clients may say arrives as they said it', async () => {
  const { arrived } = await attack(bytesOf('GET /public/x', [...PASSES.map((name) => `${name}: v-${name}`), 'Connection: close']))
  for (const name of PASSES) expect(arrived[0]!.headers).toContainEqual([name, `v-${name}`])
})
