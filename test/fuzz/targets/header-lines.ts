import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import type { Memory } from '../../../src/base/memory.ts'
import { isDenial } from '../../../src/model/denial.ts'
import { fieldLines } from '../../../src/wire/field-lines.ts'
import { upstreamLines } from '../../../src/wire/header-lines.ts'
import { describe } from '../../../src/wire/incoming.ts'
import { SHIPPED_OWNED_NAMES } from '../../../src/wire/owned-names.ts'
import { upstreamHeaders, type UpstreamHeadersInput } from '../../../src/wire/upstream-headers.ts'
import { wireSettings } from '../../support/wire-settings.ts'
import { fuzzTarget } from '../fuzz-target.ts'

type Line = readonly [name: string, value: string]

interface Input { readonly lines: readonly Line[]; readonly method: string; readonly alias: 'pass' | 'reject' }

const settings = { pass: wireSettings({ aliasHeaders: 'pass', identity: ['X-User-Id', 'X-User-Email'] }), reject: wireSettings({ aliasHeaders: 'reject', identity: ['X-User-Id', 'X-User-Email'] }) }

/** One spelling for WSGI, CGI and PHP. */
const folded = (name: string): string => Array.from(name.toLowerCase(), (character) => (/[a-z0-9]/.test(character) ? character : '-')).join('')

const IDENTITY = new Set(['x-user-id', 'x-user-email'])
const CREDENTIALS = new Set(['authorization', 'cookie', 'x-api-key'])
/** The shipped list as one expression. */
const SHIPPED = new RegExp(`^(?:${SHIPPED_OWNED_NAMES.map((name) => folded(name.replace(/\*$/, '')) + (name.endsWith('*') ? '.*' : '')).join('|')})$`)
const isOwned = (name: string): boolean => IDENTITY.has(folded(name)) || SHIPPED.test(folded(name))
const ONE_HOP = /^(connection|keep-alive|te|trailer|transfer-encoding|upgrade|http2-settings|proxy-.*)$/
const ANEW = /^(host|content-length|expect|x-request-id)$/
const NEEDED = /^(host|content-length|transfer-encoding|content-type|content-encoding|authorization|cookie|origin|sec-fetch-site|x-request-id|x-api-key)$/

const valuesOf = (lines: readonly Line[], name: string): string[] => lines.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value)
const optionsOf = (lines: readonly Line[]): string[] => valuesOf(lines, 'connection').flatMap((value) => value.split(',')).map((option) => option.trim().toLowerCase()).filter((option) => option !== '')

/** Whether the message can be read in one way only. */
function isPlain({ lines, method, alias }: Input): boolean {
  if (!/^[A-Z-]+$/.test(method) || method === 'CONNECT' || method === 'TRACE') return false
  if (lines.some(([name]) => !CREDENTIALS.has(name.toLowerCase()) && CREDENTIALS.has(folded(name)))) return false
  if (alias === 'reject' && lines.some(([name]) => /[_.]/.test(name))) return false
  const [lengths, codings, hosts] = ['content-length', 'transfer-encoding', 'host'].map((name) => valuesOf(lines, name)) as [string[], string[], string[]]
  if (lengths.length + codings.length > 1 || lengths.some((value) => !/^\d{1,15}$/.test(value)) || codings.some((value) => value.toLowerCase() !== 'chunked')) return false
  const special = optionsOf(lines).filter((option) => !['close', 'keep-alive', 'upgrade'].includes(option))
  if (special.some((option) => !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(option) || NEEDED.test(folded(option)) || isOwned(option))) return false
  return hosts.length === 1 && /^[a-z0-9_-]+(\.[a-z0-9_-]+)*(:[1-9]\d{0,4})?$/i.test(hosts[0] ?? '') && Number(/:(\d+)$/.exec(hosts[0] ?? '')?.[1] ?? 80) <= 65_535
}

/** What may pass, in its place and byte for byte. */
function passing(lines: readonly Line[]): Line[] {
  const gone = new Set(optionsOf(lines).map(folded))
  const traced = valuesOf(lines, 'traceparent').length === 1 && /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(valuesOf(lines, 'traceparent')[0] ?? '')
  return lines.filter(([name]) => {
    const one = folded(name)
    return !isOwned(name) && !ONE_HOP.test(one) && !ANEW.test(one) && !gone.has(one) && !one.startsWith('sec-websocket-') && (traced || !/^trace(parent|state)$/.test(one))
  })
}

/** What is remembered of a list is what it would be anew, also for the next request of the connection. */
function checkRemembered(asked: UpstreamHeadersInput): void {
  const memory: Memory = new Map()
  for (const id of ['first', 'second', 'third']) {
    const next = { ...asked, framing: { kind: 'none' } as const, request: { ...asked.request, id } }
    const told: string[] = []
    const lines = upstreamLines({ ...next, request: { ...next.request, memory } }, (name) => told.push(name))
    const { flat, stripped } = upstreamHeaders(next)
    assert.deepEqual(lines.list(), flat)
    assert.equal(lines.text(), fieldLines(flat))
    assert.deepEqual(told, stripped)
  }
}

function check(input: Input): string {
  const { lines, method, alias } = input
  const wire = settings[alias]
  const rawHeaders = lines.flat()
  const request = describe({ method, url: '/x', httpVersion: '1.1', rawHeaders }, { wire, peer: '192.0.2.7', encrypted: false, now: 0, upgrade: false, maxHeaders: 100 })
  assert.equal(!isDenial(request), isPlain(input))
  if (isDenial(request)) return 'refused'
  const asked: UpstreamHeadersInput = { request, rawHeaders, wire, mutation: { remove: ['X-Api-Key'], removeCookies: [], set: [['X-User-Id', 'alice']] }, routeHeaders: { set: [], remove: [] }, upstreamHost: request.target.host, framing: { kind: 'chunked' } }
  const { flat: out, stripped } = upstreamHeaders(asked)
  checkRemembered(asked)
  const { host } = request.target
  const pass = passing(lines).filter(([name]) => folded(name) !== 'x-api-key')
  const forwarded = host.includes(':') ? `"${host}"` : host
  assert.deepEqual(out, ['Host', host, ...pass.flat(), 'Transfer-Encoding', 'chunked', 'X-Forwarded-For', '192.0.2.7', 'X-Forwarded-Proto', 'http', 'X-Forwarded-Host', host, 'Forwarded', `for=192.0.2.7;host=${forwarded};proto=http`, 'X-Request-Id', request.id, 'X-User-Id', 'alice'])
  assert.deepEqual(stripped, lines.map(([name]) => folded(name)).filter((name) => IDENTITY.has(name)))
  return stripped.length > 0 ? 'claims removed' : 'passed'
}

const NAMES = ['X-User-Id', 'X-User-Email', 'X-API-Key', 'Authorization', 'Cookie', 'Connection', 'Content-Length', 'Transfer-Encoding', 'TE', 'Trailer', 'Upgrade', 'Keep-Alive', 'Proxy-Connection', 'Proxy-Foo', 'Proxy', 'HTTP2-Settings', 'Expect', 'X-Forwarded-For', 'X-Forwarded', 'X-Real-IP', 'Forwarded', 'X-Original-URL', 'X-Envoy-Foo', 'X-Middleware-Subrequest', 'X-Middleware-Subrequest-Id', 'X-Request-Id', 'traceparent', 'tracestate', 'Sec-WebSocket-Key', 'Accept', 'X-Custom', 'Origin', 'Content-Type', 'X-User', 'X-User-Id-2', 'XUserId', '__proto__', 'constructor', 'X-HTTP-Method-Override', '_method', 'X-Accel-Redirect', 'Remote-User', 'Via'] as const

/** As it is, or with other letters and other separators. */
const name = fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom('', '', '', 'lower', 'upper', '_', '.', '~', '!', 'double', 'one _')).map(([base, how]) => {
  if (how === 'lower') return base.toLowerCase()
  if (how === 'upper') return base.toUpperCase()
  if (how === 'double') return base.replaceAll('-', '--')
  if (how === 'one _') return base.replace('-', '_')
  return how === '' ? base : base.replaceAll('-', how)
})
const value = fc.constantFrom('root', '1', '', 'close', 'keep-alive, X-User-Id', 'x-custom', 'X-Custom, close', 'chunked', '5', '05', '+5', 'chunked, gzip', 'a=b; session=x', 'api.test', 'x-custom,,te', 'accept', 'x_custom', 'x y', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '00-00000000000000000000000000000000-b7ad6b7169203331-01', 'Bearer x', '\xff', 'Upgrade', 'authorization', 'x.user.id', 'X-Request-Id')
const host = fc.oneof({ weight: 20, arbitrary: fc.constant<Line[]>([['Host', 'api.test']]) }, { weight: 1, arbitrary: fc.constantFrom<Line[]>([], [['Host', 'api.test'], ['host', 'internal']], [['HOST', 'API.test:8080']], [['Host', 'a b']], [['Host', 'api.test:0']], [['Host', 'api.test:65536']], [['Host', 'api.test.']], [['Host', 'a@b']]) })
/** Names with their own kind of value more often than with any. */
const line = fc.oneof(fc.tuple(name, value), fc.constantFrom<Line>(['Connection', 'close'], ['Connection', 'X-Custom'], ['Content-Length', '5'], ['Transfer-Encoding', 'chunked'], ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'], ['X-Custom', 'kept'], ['Accept', '*/*']))

export const headerLines = fuzzTarget<Input>({
  name: 'header-lines',
  subject: 'field lines of a request: identity, credential and forwarding headers in any spelling, names in `Connection`, framing, repetitions',
  oracle: 'the rules written a second time: what is refused; and the very list that the upstream gets, in order, with everything else passed byte for byte; what a connection remembers of it is what it would be anew',
  where: 'in process',
  verdicts: ['passed', 'claims removed', 'refused'],
  batch: 50_000,
  weight: 8,
  open: () => ({ inputs: fc.record({ lines: fc.tuple(host, fc.array(line, { maxLength: 6 })).map(([first, rest]) => [...first, ...rest]), method: fc.oneof({ weight: 10, arbitrary: fc.constantFrom('GET', 'POST', 'OPTIONS', 'M-SEARCH') }, { weight: 1, arbitrary: fc.constantFrom('get', 'CONNECT', 'TRACE', '') }), alias: fc.constantFrom('pass' as const, 'pass' as const, 'reject' as const) }), check }),
})
