import { isDenial } from '../../model/denial.ts'
import { ambiguous } from '../../wire/refusal.ts'
import { type Dialect, oneOf, passage } from './dialect.ts'

export const ENVOY_PREFIX = '/_postern/envoy'

/**
 * Envoy's HTTP authorization service and what is built on it (Envoy Gateway, Istio, Contour, the Gateway API), at `/_postern/envoy/…`:
 * the request line is the client's, behind our prefix, and so is `Host`. It alone can be told what to remove. `X-Forwarded-Host`
 * may be the client's own here and is not looked at; without `X-Forwarded-Proto` the scheme is http, which is trusted with less.
 */
export const ENVOY: Dialect = {
  id: 'envoy',
  own: new Set(),
  askedOf: ({ method = '', url = '' }, headers, { scheme = 'http' }) => {
    const host = oneOf(headers, 'host')
    if (isDenial(host)) return host
    const rawTarget = url.slice(ENVOY_PREFIX.length)
    return rawTarget.startsWith('/') ? { method, rawTarget, host, scheme } : ambiguous('target', 'the forwarder did not send the path of the request')
  },
  allow: ({ fields, credentials, client, remove }) =>
    passage([...fields, ...credentials.filter(([, value]) => value !== ''), ...client, ...(remove.length === 0 ? [] : [['x-envoy-auth-headers-to-remove', remove.join(',')] as const])]),
  refuse: (reply) => reply,
}
