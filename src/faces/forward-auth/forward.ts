import { isDenial } from '../../model/denial.ts'
import { ambiguous } from '../../wire/refusal.ts'
import { type Dialect, oneOf, passage } from './dialect.ts'

/**
 * Traefik, Caddy and HAProxy, at `/_postern/forward`: the request is in `X-Forwarded-Method`, `-Uri`, `-Host` and `-Proto`. Their
 * answer to the client is ours, whatever its status. They cannot be told what to remove, so what the upstream shall not get is given
 * back empty. Caddy 2.6 writes the text of its own placeholder into the request for a field that it is to copy and does not find.
 */
export const FORWARD: Dialect = {
  id: 'forward',
  own: new Set(),
  askedOf: (_message, headers, { host, scheme }) => {
    const method = oneOf(headers, 'x-forwarded-method')
    if (isDenial(method)) return method
    const rawTarget = oneOf(headers, 'x-forwarded-uri')
    if (isDenial(rawTarget)) return rawTarget
    const mistake = [oneOf(headers, 'x-forwarded-host'), oneOf(headers, 'x-forwarded-proto')].find(isDenial)
    if (mistake) return mistake
    // Several hops may stand in the one line; which of them counts was settled together with the address of the client.
    if (host === undefined || scheme === undefined) return ambiguous('x-forwarded-host, x-forwarded-proto', 'nobody who is trusted says so')
    return { method, rawTarget, host, scheme }
  },
  allow: ({ fields, credentials, client }) => passage(fields.concat(credentials, client)),
  refuse: (reply) => reply,
}
