import type { Reply } from '../../model/decision.ts'
import { isDenial } from '../../model/denial.ts'
import { ambiguous } from '../../wire/refusal.ts'
import { type Dialect, oneOf, passage } from './dialect.ts'

const URL_PARTS = /^(https?):\/\/([^/?#]*)(\/.*)$/s

/** Longest body that goes into a header: all fields of an answer must fit nginx's first buffer, one page. */
const MAX_BODY = 1_024

/** JSON in the characters of a header, or undefined when it cannot be or is too long. */
function headerJson(body: string): string | undefined {
  const ascii = body.replace(/[\u0080-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return ascii.length <= MAX_BODY && /^[\x20-\x7e]+$/.test(ascii) ? ascii : undefined
}

/**
 * nginx knows 401 and 403 and makes 500 of everything else, and throws bodies away. So every other refusal is a 403 that says in
 * `X-Auth-Status` what it is, and the body travels in `X-Auth-Body`; the shipped snippet puts both back.
 */
function folded(reply: Reply): Reply {
  const body = headerJson(reply.body)
  const type = reply.headers.find(([name]) => name === 'Content-Type')?.[1]
  return {
    ...reply,
    status: reply.status === 401 ? 401 : 403,
    headers: [
      ...reply.headers,
      ['X-Auth-Status', String(reply.status)],
      ...(body === undefined ? [] : [['X-Auth-Body', body] as const]),
      ...(body === undefined || type === undefined ? [] : [['X-Auth-Type', type] as const]),
    ],
  }
}

/**
 * nginx `auth_request`, at `/_postern/nginx`: the method is in `X-Original-Method`, everything else in `X-Original-URL`
 * (`$scheme://$http_host$request_uri`), or the path alone in `X-Original-URI` with `X-Forwarded-Host` and `-Proto` beside it. Not both:
 * nginx passes on every header of its client that it is not told to replace, so one of the two may be the client's.
 */
export const NGINX: Dialect = {
  id: 'nginx',
  own: new Set(['x-original-url', 'x-original-uri', 'x-original-method']),
  askedOf: (_message, headers, { host, scheme }) => {
    const method = oneOf(headers, 'x-original-method')
    if (isDenial(method)) return method
    if (headers.has('x-original-uri')) {
      if (headers.has('x-original-url')) return ambiguous('x-original-url', 'stands beside x-original-uri')
      const rawTarget = oneOf(headers, 'x-original-uri')
      if (isDenial(rawTarget)) return rawTarget
      if (host === undefined || scheme === undefined) return ambiguous('x-forwarded-host, x-forwarded-proto', 'the forwarder did not send them')
      return { method, rawTarget, host, scheme }
    }
    const url = oneOf(headers, 'x-original-url')
    if (isDenial(url)) return url
    const [, said, authority = '', rawTarget = ''] = URL_PARTS.exec(url) ?? []
    return said === 'http' || said === 'https' ? { method, rawTarget, host: authority, scheme: said } : ambiguous('x-original-url', 'expected scheme, host and path')
  },
  allow: ({ fields, credentials, client }) => passage(fields.concat(credentials, client)),
  refuse: folded,
}
