import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createSecretKey, type KeyObject } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose'

/** Algorithms that a test issuer signs with. */
export type IssuerAlgorithm = 'ES256' | 'ES384' | 'RS256' | 'PS256' | 'EdDSA' | 'HS256'

/** How the key set endpoint behaves from now on; `discovery` misbehaves likewise where it says so. */
export type Behaviour =
  | 'ok'
  | 'refuse' // closes the connection
  | 'hang' // takes the request and never answers
  | 'error' // 500
  | 'html'
  | 'large' // 5 MB
  | 'redirect' // to another path of this server, which counts
  | 'gzip'
  | 'brotli'
  | 'slow' // one byte now and then
  | 'truncated' // announces more than it sends
  | 'empty' // a valid set without keys

export interface MintOptions {
  readonly alg?: IssuerAlgorithm
  /** `null` leaves it out. */
  readonly kid?: string | null
  /** Added to the header. */
  readonly header?: Readonly<Record<string, unknown>>
  /** Seconds from now; `null` leaves `exp` out. */
  readonly expiresIn?: number | null
}

export interface Issuer {
  /** `http://127.0.0.1:port`; also the `iss` of what it mints. */
  readonly url: string
  readonly jwksUrl: string
  /** HS256 secret of what is minted with `alg: 'HS256'`; 32 bytes. */
  readonly secret: string
  /** Requests so far, by path. */
  readonly requests: { jwks: number; discovery: number; redirected: number }
  /** A token with sensible claims (`iss`, `sub: alice`, `aud: api`, `iat`, `exp`), which `claims` overrides; `undefined` leaves one out. */
  readonly mint: (claims?: Readonly<Record<string, unknown>>, options?: MintOptions) => Promise<string>
  readonly behave: (behaviour: Behaviour) => void
  /** Makes the discovery document say something else. */
  readonly discover: (document: Readonly<Record<string, unknown>> | undefined) => void
  /** New keys under new kids; `keep` publishes the old ones beside them. */
  readonly rotate: (options?: { readonly keep?: boolean }) => Promise<void>
  /** Publishes exactly this instead of its own keys. */
  readonly publish: (keys: readonly unknown[] | undefined) => void
  /** The public keys it publishes. */
  readonly keys: () => readonly JWK[]
  readonly kid: (alg: IssuerAlgorithm) => string
  readonly close: () => Promise<void>
}

interface Pair { readonly privateKey: CryptoKey; readonly jwk: JWK }
type Pairs = ReadonlyMap<IssuerAlgorithm, Pair>

async function pairsOf(algorithms: readonly IssuerAlgorithm[], generation: number): Promise<Pairs> {
  const made = algorithms.filter((alg) => alg !== 'HS256').map(async (alg): Promise<[IssuerAlgorithm, Pair]> => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
    return [alg, { privateKey, jwk: { ...(await exportJWK(publicKey)), alg, use: 'sig', kid: `${alg.toLowerCase()}-${generation}` } }]
  })
  return new Map(await Promise.all(made))
}

/** Answers with whatever the behaviour demands. */
function answer(behaviour: Behaviour, document: unknown, request: IncomingMessage, response: ServerResponse): void {
  const json = JSON.stringify(document)
  const send = (status: number, headers: Record<string, string>, body: string | Buffer): void => {
    response.writeHead(status, headers).end(body)
  }
  const type = { 'content-type': 'application/json' }
  if (behaviour === 'ok') send(200, type, json)
  else if (behaviour === 'empty') send(200, type, '{"keys":[]}')
  else if (behaviour === 'error') send(500, type, '{"error":"down"}')
  else if (behaviour === 'html') send(200, { 'content-type': 'text/html' }, '<html><body>Sign in</body></html>')
  else if (behaviour === 'large') send(200, type, `{"padding":"${'x'.repeat(5_000_000)}",${json.slice(1)}`)
  else if (behaviour === 'redirect') send(302, { location: '/elsewhere' }, '')
  else if (behaviour === 'gzip') send(200, { ...type, 'content-encoding': 'gzip' }, gzipSync(json))
  else if (behaviour === 'brotli') send(200, { ...type, 'content-encoding': 'br' }, brotliCompressSync(json))
  else if (behaviour === 'refuse') request.socket.destroy()
  else if (behaviour === 'truncated') {
    response.writeHead(200, { ...type, 'content-length': String(json.length) })
    response.write(json.slice(0, 10), () => request.socket.destroy())
  } else if (behaviour === 'slow') {
    response.writeHead(200, type)
    const timer = setInterval(() => response.write(' '), 20)
    response.on('close', () => clearInterval(timer))
  }
  // 'hang' answers nothing.
}

function listening(server: Server): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  return promise
}

/** Claims without those that are undefined. */
const definedOf = (claims: Readonly<Record<string, unknown>>): Record<string, unknown> => Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))

/**
 * A real issuer on a port of its own: keys, discovery, JWKS, and every way of being broken. `clock` is milliseconds, for tokens.
 *
 * @param algorithms  key pairs to make; RSA takes some 100 ms
 */
export async function startIssuer({ algorithms = ['ES256'], clock = Date.now }: { readonly algorithms?: readonly IssuerAlgorithm[]; readonly clock?: () => number } = {}): Promise<Issuer> {
  let generation = 1
  let pairs = await pairsOf(algorithms, generation)
  let retired: readonly JWK[] = []
  let published: readonly unknown[] | undefined
  let behaviour: Behaviour = 'ok'
  let discovery: Readonly<Record<string, unknown>> | undefined
  const requests = { jwks: 0, discovery: 0, redirected: 0 }
  const secret = 'q3Vx8mTz1LrW6yPn0KdHs5BfGj2Uc9Ea'
  const secretKey: KeyObject = createSecretKey(Buffer.from(secret))
  const keys = (): readonly JWK[] => [...[...pairs.values()].map(({ jwk }) => jwk), ...retired]

  const server = createServer((request, response) => {
    if (request.url === '/.well-known/openid-configuration') {
      requests.discovery += 1
      answer(behaviour === 'empty' ? 'ok' : behaviour, discovery ?? { issuer: url, jwks_uri: `${url}/jwks` }, request, response)
    } else if (request.url === '/jwks') {
      requests.jwks += 1
      answer(behaviour, { keys: published ?? keys() }, request, response)
    } else {
      requests.redirected += 1
      answer('ok', { keys: keys() }, request, response)
    }
  })
  const url = await listening(server)
  const kid = (alg: IssuerAlgorithm): string => `${alg.toLowerCase()}-${generation}`

  return {
    url,
    jwksUrl: `${url}/jwks`,
    secret,
    requests,
    kid,
    keys,
    mint: async (claims = {}, options = {}) => {
      const { alg = algorithms[0] ?? 'ES256', header = {}, expiresIn = 300 } = options
      const now = Math.floor(clock() / 1_000)
      const key = alg === 'HS256' ? secretKey : pairs.get(alg)?.privateKey
      if (!key) throw new Error(`this issuer has no ${alg} key`)
      const named = options.kid === null ? {} : { kid: options.kid ?? kid(alg) }
      const payload = definedOf({ iss: url, sub: 'alice', aud: 'api', iat: now, ...(expiresIn === null ? {} : { exp: now + expiresIn }), ...claims })
      return new SignJWT(payload).setProtectedHeader({ alg, ...named, ...header }).sign(key)
    },
    behave: (next) => {
      behaviour = next
    },
    discover: (document) => {
      discovery = document
    },
    rotate: async ({ keep = false } = {}) => {
      retired = keep ? keys() : []
      generation += 1
      pairs = await pairsOf(algorithms, generation)
    },
    publish: (next) => {
      published = next
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

