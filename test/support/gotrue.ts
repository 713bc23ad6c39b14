import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { calculateJwkThumbprint, createLocalJWKSet, decodeProtectedHeader, errors, exportJWK, generateKeyPair, jwtVerify, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose'
import { createAccounts, type Account, type Accounts, type Refreshed } from './gotrue-accounts.ts'

/** A request as the emulated project saw it. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** Answers instead of the emulation, or hangs when it does nothing. */
export type Fault = (request: IncomingMessage, response: ServerResponse, body: string) => void

export type SigningAlgorithm = 'ES256' | 'RS256' | 'HS256'

export interface GoTrue {
  /** The project URL, without a path. */
  readonly url: string
  readonly issuer: string
  readonly anonKey: string
  readonly publishableKey: string
  readonly secretKey: string
  readonly hsSecret: string
  readonly accounts: Accounts
  readonly requests: readonly SeenRequest[]
  /** Requests to a path, such as `/auth/v1/user`. */
  readonly seen: (path: string) => readonly SeenRequest[]
  readonly forget: () => void
  /** Every request to this path fails this way until `undefined` is set. */
  readonly fail: (path: string, fault: Fault | undefined) => void
  /** Signs any claims with the current key; `kid: null` leaves it out. */
  readonly sign: (claims: JWTPayload, options?: { algorithm?: SigningAlgorithm; kid?: string | null; key?: CryptoKey | Uint8Array }) => Promise<string>
  /** An access token of a fresh session of this account, as GoTrue issues it. */
  readonly accessToken: (account: Account, overrides?: JWTPayload, algorithm?: SigningAlgorithm) => Promise<string>
  /** Adds a signing key and makes it current; the old one stays published. */
  readonly rotate: () => Promise<void>
  /** Empties the key set, as in a project that only has the HS256 secret. */
  readonly publishNoKeys: () => void
  /** For routes that are not Auth's own (functions, rest). */
  readonly otherwise: (handler: Fault | undefined) => void
  readonly close: () => Promise<void>
}

interface Signing { kid: string; algorithm: 'ES256' | 'RS256'; privateKey: CryptoKey; jwk: JWK }

const HOUR_S = 3_600
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** What Auth says no with; `undefined` for the ones of the gateway, which name no error code. */
class Refusal extends Error {
  readonly status: number
  readonly errorCode: string
  constructor(status: number, errorCode: string, message: string) {
    super(message)
    this.status = status
    this.errorCode = errorCode
  }
}

async function newSigning(algorithm: 'ES256' | 'RS256'): Promise<Signing> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true })
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
  return { kid, algorithm, privateKey, jwk: { ...jwk, kid, alg: algorithm, use: 'sig', key_ops: ['verify'] } }
}

const json = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

/** The user as `GET /user` shows it: at top level, not wrapped. */
export const userView = (account: Account): Record<string, unknown> => ({
  id: account.id, aud: 'authenticated', role: account.role, email: account.email, email_confirmed_at: account.createdAt, phone: '', confirmed_at: account.createdAt,
  last_sign_in_at: account.createdAt, app_metadata: account.appMetadata, user_metadata: account.userMetadata, identities: [], created_at: account.createdAt,
  updated_at: account.createdAt, is_anonymous: account.isAnonymous,
})

/**
 * A Supabase project as far as signing in goes: the gateway's `apikey` check, `GET /user` with every error code, password and refresh
 * grants with rotation and reuse detection, logout, the key set. Good enough for the real client library.
 */
export async function startGoTrue({ clock = Date.now, algorithm = 'ES256' }: { clock?: () => number; algorithm?: 'ES256' | 'RS256' } = {}): Promise<GoTrue> {
  const accounts = createAccounts()
  const requests: SeenRequest[] = []
  const faults = new Map<string, Fault>()
  const hsSecret = randomUUID() + randomUUID()
  let published: Signing[] = [await newSigning(algorithm)]
  let current = published[0] as Signing
  let other: Fault | undefined
  const seconds = (): number => Math.floor(clock() / 1_000)

  const sign: GoTrue['sign'] = (claims, options = {}) => {
    const alg = options.algorithm ?? current.algorithm
    const kid = options.kid === undefined ? (alg === 'HS256' ? undefined : current.kid) : options.kid ?? undefined
    const key = options.key ?? (alg === 'HS256' ? new TextEncoder().encode(hsSecret) : current.privateKey)
    return new SignJWT(claims).setProtectedHeader({ alg, typ: 'JWT', ...(kid === undefined ? {} : { kid }) }).sign(key)
  }
  const apiKey = (role: string): Promise<string> => sign({ iss: 'supabase', ref: 'abcdefgh', role, iat: 1_700_000_000, exp: 2_015_360_000 }, { algorithm: 'HS256' })
  const anonKey = await apiKey('anon')
  const serviceKey = await apiKey('service_role')
  const publishableKey = `sb_${'publishable'}_${randomUUID()}`
  const secretKey = `sb_${'secret'}_${randomUUID()}`

  const claimsFor = ({ account, sessionId }: { account: Account; sessionId: string }): JWTPayload => ({
    iss: `${url()}/auth/v1`, sub: account.id, aud: 'authenticated', iat: seconds(), exp: seconds() + HOUR_S, email: account.email, phone: '', app_metadata: account.appMetadata,
    user_metadata: account.userMetadata, role: account.role, aal: 'aal1', amr: [{ method: 'password', timestamp: seconds() }], session_id: sessionId, is_anonymous: account.isAnonymous,
  })

  const verified = async (request: IncomingMessage): Promise<JWTPayload> => {
    const token = /^bearer (\S+$)/i.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined) throw new Refusal(401, 'no_authorization', 'This endpoint requires a valid Bearer token')
    try {
      const key = decodeProtectedHeader(token).alg === 'HS256' ? new TextEncoder().encode(hsSecret) : createLocalJWKSet({ keys: published.map((entry) => entry.jwk) })
      const options = { algorithms: ['ES256', 'RS256', 'HS256'], currentDate: new Date(clock()) }
      return (await (typeof key === 'function' ? jwtVerify(token, key, options) : jwtVerify(token, key, options))).payload
    } catch (error) {
      const detail = error instanceof errors.JWTExpired ? 'token has invalid claims: token is expired' : 'token signature is invalid'
      throw new Refusal(403, 'bad_jwt', `invalid JWT: unable to parse or verify signature, ${detail}`)
    }
  }
  const accountFrom = async (request: IncomingMessage): Promise<{ account: Account; claims: JWTPayload }> => {
    const claims = await verified(request)
    if (claims.sub === undefined) throw new Refusal(403, 'bad_jwt', 'invalid claim: missing sub claim')
    if (!UUID.test(claims.sub)) throw new Refusal(400, 'bad_jwt', 'invalid claim: sub claim must be a UUID')
    const account = accounts.byId(claims.sub)
    if (!account) throw new Refusal(403, 'user_not_found', 'User from sub claim in JWT does not exist')
    if (typeof claims['session_id'] === 'string' && !accounts.hasSession(claims['session_id'])) throw new Refusal(403, 'session_not_found', 'Session from session_id claim in JWT does not exist')
    if (account.banned) throw new Refusal(403, 'user_banned', 'User is banned')
    return { account, claims }
  }

  const grant = async (response: ServerResponse, granted: Refreshed): Promise<void> => {
    const body = { access_token: await sign(claimsFor(granted)), token_type: 'bearer', expires_in: HOUR_S, expires_at: seconds() + HOUR_S, refresh_token: granted.refreshToken, user: userView(granted.account) }
    json(response, 200, body, { 'sb-auth-user-id': granted.account.id, 'sb-auth-session-id': granted.sessionId })
  }
  const token = async (response: ServerResponse, query: URLSearchParams, body: string, type: string): Promise<void> => {
    const form = type.startsWith('application/x-www-form-urlencoded')
    const fields = form ? Object.fromEntries(new URLSearchParams(body)) : (JSON.parse(body || '{}') as Record<string, string>)
    const kind = query.get('grant_type') ?? (form ? fields['grant_type'] : undefined)
    if (kind === 'password') {
      const granted = accounts.signIn(fields['email'] ?? '', fields['password'] ?? '')
      if (!granted) throw new Refusal(400, 'invalid_credentials', 'Invalid login credentials')
      if (granted.account.banned) throw new Refusal(400, 'user_banned', 'User is banned')
      return grant(response, granted)
    }
    if (kind !== 'refresh_token') throw new Refusal(400, 'invalid_credentials', 'unsupported_grant_type')
    if (!fields['refresh_token']) return json(response, 400, { error: 'invalid_request', error_description: 'refresh_token required' })
    const refreshed = accounts.refresh(fields['refresh_token'], clock())
    if (refreshed === 'refresh_token_not_found') throw new Refusal(400, refreshed, 'Invalid Refresh Token: Refresh Token Not Found')
    if (refreshed === 'refresh_token_already_used') throw new Refusal(400, refreshed, 'Invalid Refresh Token: Already Used')
    if (refreshed === 'user_banned') throw new Refusal(400, refreshed, 'Invalid Refresh Token: User Banned')
    return grant(response, refreshed)
  }

  const answer = async (request: IncomingMessage, response: ServerResponse, seen: SeenRequest): Promise<void> => {
    const { method, path, query, body } = seen
    if (path === '/auth/v1/.well-known/jwks.json') return json(response, 200, { keys: published.map((entry) => entry.jwk) }, { 'cache-control': 'public, max-age=600' })
    const apikey = request.headers['apikey'] ?? query.get('apikey')
    if (apikey === undefined || apikey === null) return json(response, 401, { message: 'No API key found in request', hint: 'No `apikey` request header or url param was found.' })
    const browser = /mozilla/i.test(request.headers['user-agent'] ?? '')
    if (![anonKey, serviceKey, publishableKey, secretKey].includes(String(apikey)) || (apikey === secretKey && browser)) {
      return json(response, 401, { message: 'Invalid API key', hint: 'Double check your Supabase `anon` or `service_role` API key.' })
    }
    if (path === '/auth/v1/user' && method === 'GET') return json(response, 200, userView((await accountFrom(request)).account))
    if (path === '/auth/v1/token' && method === 'POST') return token(response, query, body, request.headers['content-type'] ?? '')
    if (path === '/auth/v1/logout' && method === 'POST') {
      const { account, claims } = await accountFrom(request)
      accounts.logout(account.id, claims['session_id'] as string | undefined, query.get('scope') ?? 'global')
      response.writeHead(204).end()
      return
    }
    if (other && !path.startsWith('/auth/')) return other(request, response, body)
    json(response, 404, { code: 404, msg: 'requested path is invalid' })
  }

  const refuse = (request: IncomingMessage, response: ServerResponse, error: unknown): void => {
    if (!(error instanceof Refusal)) return json(response, 500, { code: 500, error_code: 'unexpected_failure', msg: 'Unexpected failure', error_id: randomUUID() })
    const { status, errorCode, message } = error
    const version = request.headers['x-supabase-api-version']
    const dated = version === undefined ? {} : { 'x-supabase-api-version': String(version) }
    json(response, status, version === undefined ? { code: status, error_code: errorCode, msg: message } : { code: errorCode, message }, { 'x-sb-error-code': errorCode, ...dated })
  }

  const server: Server = createServer((request, response) => {
    void (async () => {
      const target = new URL(request.url ?? '/', 'http://project')
      const seen: SeenRequest = { method: request.method ?? '', path: target.pathname, query: target.searchParams, headers: request.headers, body: await bodyOf(request) }
      requests.push(seen)
      const fault = faults.get(seen.path)
      if (fault) return fault(request, response, seen.body)
      await answer(request, response, seen)
    })().catch((error: unknown) => refuse(request, response, error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const base = url()

  return {
    url: base, issuer: `${base}/auth/v1`, anonKey, publishableKey, secretKey, hsSecret, accounts, requests, sign,
    seen: (path) => requests.filter((request) => request.path === path),
    forget: () => void (requests.length = 0),
    fail: (path, fault) => void (fault ? faults.set(path, fault) : faults.delete(path)),
    accessToken: (account, overrides = {}, signedWith) => sign({ ...claimsFor(accounts.openSession(account)), ...overrides }, signedWith ? { algorithm: signedWith } : {}),
    rotate: async () => {
      current = await newSigning(algorithm)
      published = [...published, current]
    },
    publishNoKeys: () => {
      published = []
    },
    otherwise: (handler) => {
      other = handler
    },
    close: () => new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
}
