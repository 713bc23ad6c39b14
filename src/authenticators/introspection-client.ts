import { importJWK, importPKCS8 } from 'jose'
import * as oauth from 'oauth4webapi'
import { createSingleFlight } from '../base/single-flight.ts'
import type { Clock, DurationMs } from '../base/time.ts'
import { objectOf, type Authority, type Unavailable } from './authority.ts'

/** How Postern proves to the issuer that it may ask (RFC 7662 section 2.1). */
export type IntrospectionCredential =
  | { readonly kind: 'basic' | 'post'; readonly clientId: string; readonly clientSecret: string }
  /** `key`: PKCS #8 PEM, or a private JWK as JSON. */
  | { readonly kind: 'private_key_jwt'; readonly clientId: string; readonly key: string; readonly keyId?: string; readonly algorithm: string }
  | { readonly kind: 'bearer'; readonly token: string }

export interface IntrospectionEndpoint {
  /** The issuer, for discovery and for the `aud` of an assertion. */
  readonly issuer?: string
  /** The endpoint itself; without it, discovery at the issuer finds it. */
  readonly url?: string
  readonly credential: IntrospectionCredential
}

/** What the issuer says about one token: an object whose `active` is a boolean. */
export type Introspected = { readonly kind: 'introspected'; readonly response: Readonly<Record<string, unknown>> } | Unavailable

/** How long what discovery said is used; after that, the old answer serves while the issuer cannot be asked. */
const METADATA_MS: DurationMs = 3_600_000

/** Carries a verdict through a library that only knows exceptions. */
class Undecided extends Error {
  readonly verdict: Unavailable
  constructor(verdict: Unavailable) {
    super(verdict.cause)
    this.name = 'Undecided'
    this.verdict = verdict
  }
}

/** The library's `fetch`: our own call, with its caps, as a Response. */
function fetchThrough(authority: Authority) {
  return async (url: string, options: { readonly method: string; readonly headers: Record<string, string>; readonly body?: unknown }): Promise<Response> => {
    const { method, headers, body } = options
    const answer = await authority.ask({ url, headers: { ...headers, 'user-agent': 'postern' }, method: method === 'POST' ? 'POST' : 'GET', ...(body === undefined ? {} : { body: String(body) }) })
    if (answer.kind === 'unavailable') throw new Undecided(answer)
    const text = answer.json === undefined ? '' : JSON.stringify(answer.json)
    return new Response(text, { status: answer.status, headers: { 'content-type': answer.headers.get('content-type') ?? '' } })
  }
}

async function privateKey({ key, algorithm, keyId }: { readonly key: string; readonly algorithm: string; readonly keyId?: string }): Promise<{ key: CryptoKey; kid?: string }> {
  const jwk = key.trimStart().startsWith('{') ? objectOf(JSON.parse(key)) : undefined
  const imported = jwk ? await importJWK(jwk, algorithm) : await importPKCS8(key, algorithm)
  if (!(imported instanceof CryptoKey)) throw new TypeError('the key is not a private key')
  const kid = keyId ?? (typeof jwk?.['kid'] === 'string' ? jwk['kid'] : undefined)
  return { key: imported, ...(kid === undefined ? {} : { kid }) }
}

/** As a form has it (RFC 6749 section 2.3.1), with no more encoded than must be: not every server decodes, and plain names then fit those too. */
const formEncoded = (text: string): string => new URLSearchParams([['', text]]).toString().slice(1)

const basic = (clientId: string, secret: string): oauth.ClientAuth => {
  const pair = Buffer.from(`${formEncoded(clientId)}:${formEncoded(secret)}`).toString('base64')
  return (_server, _client, _body, headers) => {
    headers.set('authorization', `Basic ${pair}`)
  }
}

async function clientAuthOf(credential: IntrospectionCredential): Promise<oauth.ClientAuth> {
  switch (credential.kind) {
    case 'basic':
      return basic(credential.clientId, credential.clientSecret)
    case 'post':
      return oauth.ClientSecretPost(credential.clientSecret)
    case 'bearer':
      return (_server, _client, _body, headers) => {
        headers.set('authorization', `Bearer ${credential.token}`)
      }
    case 'private_key_jwt':
      return oauth.PrivateKeyJwt(await privateKey(credential))
  }
}

/** Our own credentials are wrong, or this client may not introspect: nobody's token is bad because of that. */
async function refusesUs(response: Response): Promise<boolean> {
  if (response.status === 401 || response.status === 403) return true
  if (response.status !== 400) return false
  const body = objectOf(await response.clone().json().catch(() => undefined))
  return body?.['error'] === 'invalid_client' || body?.['error'] === 'unauthorized_client'
}

/** Asks an issuer about opaque tokens (RFC 7662). Never rejects; never puts a token into a URL or a cause. */
export function createIntrospectionClient({ endpoint, authority, clock }: { readonly endpoint: IntrospectionEndpoint; readonly authority: Authority; readonly clock: Clock }): (token: string) => Promise<Introspected> {
  const { credential, issuer, url } = endpoint
  // Insecure URLs are refused or allowed by the config, for every kind of call alike.
  const options = { [oauth.customFetch]: fetchThrough(authority), [oauth.allowInsecureRequests]: true } as const
  const client: oauth.Client = { client_id: 'clientId' in credential ? credential.clientId : 'postern' }
  const flights = createSingleFlight<oauth.AuthorizationServer>()
  let discovered: { readonly server: oauth.AuthorizationServer; readonly at: number } | undefined
  let clientAuth: Promise<oauth.ClientAuth> | undefined

  const discover = async (identifier: URL): Promise<oauth.AuthorizationServer> => {
    const openId = await oauth.discoveryRequest(identifier, options)
    const response = openId.status === 404 ? await oauth.discoveryRequest(identifier, { ...options, algorithm: 'oauth2' }) : openId
    const server = await oauth.processDiscoveryResponse(identifier, response)
    if (!server.introspection_endpoint) throw new Undecided(authority.misconfigured(`${identifier.href} has no introspection endpoint; set url`))
    discovered = { server, at: clock() }
    return server
  }
  const serverOf = async (): Promise<oauth.AuthorizationServer> => {
    if (url !== undefined) return { issuer: issuer ?? url, introspection_endpoint: url }
    if (issuer === undefined) throw new Undecided(authority.misconfigured('neither issuer nor url is set'))
    if (discovered && clock() - discovered.at < METADATA_MS) return discovered.server
    try {
      return await flights.run(issuer, () => discover(new URL(issuer)))
    } catch (error) {
      if (discovered) return discovered.server
      throw error
    }
  }

  const authenticate = async (): Promise<oauth.ClientAuth> => {
    try {
      return await (clientAuth ??= clientAuthOf(credential))
    } catch {
      // Without the error: it may quote the key.
      throw new Undecided(authority.misconfigured('the private key of the oauth client cannot be read'))
    }
  }

  return async (token) => {
    try {
      const server = await serverOf()
      const response = await oauth.introspectionRequest(server, client, await authenticate(), token, { ...options, additionalParameters: { token_type_hint: 'access_token' } })
      if (await refusesUs(response)) return authority.misconfigured(`introspection answered ${response.status}: our own client credentials are refused`)
      return { kind: 'introspected', response: await oauth.processIntrospectionResponse(server, client, response) }
    } catch (error) {
      if (error instanceof Undecided) return error.verdict
      // The library's errors hold responses as `cause`, not in their message.
      return authority.unavailable(error instanceof Error ? error.message : 'introspection failed')
    }
  }
}
