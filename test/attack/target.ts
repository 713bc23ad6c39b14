import { afterAll } from 'vitest'
import { type Issuer, type IssuerAlgorithm, startIssuer } from '../support/issuer.ts'
import { type Bytes, type RawAnswer, rawRequest, type RawRequestOptions } from '../support/raw-client.ts'
import { type RecordingUpstream, type RecordingUpstreamOptions, startRecordingUpstream } from '../support/recording-upstream.ts'
import { type Attacked, startAttacked, type WrittenConfig } from './attacked.ts'
import { type LookOptions, watchInvariants, type Window } from './invariants.ts'

export const KEY = 'test-key-of-the-key-holder-1'
export const OTHER_KEY = 'test-key-of-somebody-else-22'

export interface TargetOptions {
  readonly algorithms?: readonly IssuerAlgorithm[]
  readonly upstream?: RecordingUpstreamOptions
  /** Keys that the issuer publishes beside its own. */
  readonly publish?: readonly object[]
  /** See `Watched`. */
  readonly preface?: string
  /** Keys of the config that replace the standard ones; a function gets what is there already. */
  readonly config?: WrittenConfig | ((made: { readonly issuer: Issuer; readonly upstream: RecordingUpstream; readonly standard: WrittenConfig }) => WrittenConfig)
}

/** What one payload led to. */
export interface Outcome extends Window {
  readonly answers: readonly RawAnswer[]
  readonly statuses: readonly number[]
}

/** A running Postern with an issuer and an upstream, shared by the cases of one file. */
export interface Target {
  readonly issuer: Issuer
  readonly upstream: RecordingUpstream
  readonly attacked: Attacked
  /** A good token; remembered, so that no line may contain it. */
  readonly token: (claims?: Readonly<Record<string, unknown>>, options?: Parameters<Issuer['mint']>[1]) => Promise<string>
  /** Texts that no line of log or audit may contain. */
  readonly secrets: Set<string>
  readonly look: (options?: LookOptions) => Promise<Window>
  /** Sends bytes on a connection of their own, collects the answers, and looks whether everything still holds. */
  readonly attack: (bytes: Bytes, options?: RawRequestOptions & LookOptions) => Promise<Outcome>
}

/**
 * The config that most families attack: an open route, one where credentials are optional, guarded ones (JWT or key), one for admins,
 * and one whose upstream is not there.
 */
function standardConfig(issuer: Issuer, upstream: RecordingUpstream): WrittenConfig {
  return {
    version: 1,
    listen: { address: '127.0.0.1:0', headers_timeout: '2s', body_idle_timeout: '2s', keep_alive_timeout: '5s' },
    ops: 'off',
    upstreams: { app: { url: `http://127.0.0.1:${upstream.port}`, connect_timeout: '1s', timeout: '5s' }, gone: { url: 'http://127.0.0.1:1', connect_timeout: '1s' } },
    client_ip: { direct: true },
    authenticators: {
      token: { type: 'jwt', issuer: issuer.url, audience: ['api'], jwks_url: issuer.jwksUrl },
      key: { type: 'api_key', keys: [{ id: 'k1', value: KEY, subject: 'keyholder' }, { id: 'k2', value: OTHER_KEY, subject: 'other' }] },
      anyone: { type: 'anonymous' },
    },
    identity: { 'X-User-Id': 'sub', 'X-User-Email': 'email' },
    routes: [
      { name: 'public', match: { path: '/public/**' }, auth: 'none' },
      { name: 'optional', match: { path: '/optional/**' }, auth: ['token', 'anyone'] },
      { name: 'guarded', match: { path: '/guarded/**' }, auth: ['token', 'key'] },
      { name: 'admin', match: { path: '/admin/**' }, auth: ['token'], roles: ['admin'] },
      { name: 'gone', match: { path: '/gone/**' }, auth: 'none', upstream: 'gone' },
    ],
  }
}

/** Starts everything and closes it behind the last test of the file. Call once, at the top. */
export async function startTarget({ algorithms = ['ES256'], upstream: upstreamOptions = {}, publish = [], preface = '', config = {} }: TargetOptions = {}): Promise<Target> {
  const [issuer, upstream] = [await startIssuer({ algorithms }), await startRecordingUpstream(upstreamOptions)]
  if (publish.length > 0) issuer.publish([...issuer.keys(), ...publish])
  const standard = standardConfig(issuer, upstream)
  const attacked = await startAttacked({ ...standard, ...(typeof config === 'function' ? config({ issuer, upstream, standard }) : config) })
  const secrets = new Set([KEY, OTHER_KEY])
  const look = watchInvariants({ attacked, upstreams: [upstream], secrets, preface, identity: { 'x-user-id': ({ subject }) => subject, 'x-user-email': ({ email }) => email } })
  afterAll(async () => {
    await attacked.close()
    await Promise.all([upstream.close(), issuer.close()])
  })
  return {
    issuer, upstream, attacked, secrets, look,
    token: async (claims, options) => {
      const token = await issuer.mint(claims, options)
      secrets.add(token)
      return token
    },
    attack: async (bytes, { mayStayBehind, ...options } = {}) => {
      const answers = await rawRequest(attacked.port, bytes, { timeoutMs: 5_000, answers: 1, ...options })
      const window = await look(mayStayBehind === undefined ? {} : { mayStayBehind })
      return { ...window, answers, statuses: answers.map(({ status }) => status) }
    },
  }
}

/** Bytes of one request; `Host` comes first unless the lines name one. */
export function bytesOf(line: string, headers: readonly string[] = [], body = ''): string {
  const host = headers.some((header) => /^host\s*:/i.test(header)) ? [] : ['Host: api.test']
  return `${line} HTTP/1.1\r\n${[...host, ...headers].map((header) => `${header}\r\n`).join('')}\r\n${body}`
}

export const bearer = (token: string): string => `Authorization: Bearer ${token}`

/** A request as one chunk and the last one. */
export const chunked = (text: string): string => `${Buffer.byteLength(text, 'latin1').toString(16)}\r\n${text}\r\n0\r\n\r\n`

export const HANDSHAKE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='] as const

/** What an attacker would like to see at the upstream. */
export const SMUGGLED = 'GET /admin/smuggled HTTP/1.1\r\nHost: api.test\r\nX-User-Id: root\r\n\r\n'
