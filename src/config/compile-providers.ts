import { challengeOf } from '../authenticators/carriers.ts'
import { createIntrospectionClient, type IntrospectionCredential } from '../authenticators/introspection-client.ts'
import { createIntrospectionAuthenticator } from '../authenticators/introspection.ts'
import { createRemoteAuthenticator } from '../authenticators/remote.ts'
import type { CredentialLocation } from '../model/credential.ts'
import type { Authenticator } from '../model/ports.ts'
import { carriersOf, complain, forwardingOf, type AuthenticatorContext } from './authenticator-context.ts'
import { authorityOf, checkUrl, pointersOf, verdictsOf, warn, type KindOf } from './provider-context.ts'

type IntrospectionConfig = KindOf<'introspection'>
type RemoteConfig = KindOf<'remote'>

/** How long a kept answer may stand in for an issuer that is down, with `on_error: allow_cached`. */
const STALE_IF_ERROR_MS = 300_000

/** The settings that each way of proving ourselves needs. */
const NEEDED = {
  client_secret_basic: ['client_id', 'client_secret'],
  client_secret_post: ['client_id', 'client_secret'],
  private_key_jwt: ['client_id', 'private_key'],
  bearer: ['token'],
} as const satisfies Record<IntrospectionConfig['client_auth'], readonly (keyof IntrospectionConfig)[]>

function credentialOf(config: IntrospectionConfig): IntrospectionCredential {
  const { client_auth: method, client_id: clientId, client_secret: clientSecret } = config
  switch (method) {
    case 'client_secret_basic':
      return { kind: 'basic', clientId, clientSecret }
    case 'client_secret_post':
      return { kind: 'post', clientId, clientSecret }
    case 'bearer':
      return { kind: 'bearer', token: config.token }
    case 'private_key_jwt':
      return { kind: 'private_key_jwt', clientId, key: config.private_key, algorithm: config.key_algorithm, ...(config.key_id === undefined ? {} : { keyId: config.key_id }) }
  }
}

/** Whether it is on. Half of what is needed is a mistake, none of it means off. */
function isOn(config: IntrospectionConfig, context: AuthenticatorContext): boolean {
  const needed = NEEDED[config.client_auth]
  const empty = needed.filter((name) => config[name] === '')
  const nowhere = !config.issuer && !config.url
  if (nowhere && empty.length === needed.length) warn(context, ['url'], `${context.name} is off: neither issuer nor url is set`)
  else if (nowhere) complain(context, ['url'], `neither issuer nor url is set, but ${needed.filter((name) => config[name] !== '').join(' and ')} is`)
  else if (empty[0] !== undefined) complain(context, [empty[0]], `is empty; ${config.client_auth} needs ${needed.join(' and ')}`)
  return !nowhere && empty.length === 0
}

/** Opaque tokens, asked about at their issuer. */
export function compileIntrospection(config: IntrospectionConfig, context: AuthenticatorContext): Authenticator | undefined {
  const before = context.mistakes.length
  if (!isOn(config, context)) return undefined
  const issuer = config.issuer || undefined
  const url = config.url || undefined
  checkUrl(context, ['issuer'], { url: issuer ?? '', allowHttp: config.allow_http })
  checkUrl(context, ['url'], { url: url ?? '', allowHttp: config.allow_http })
  if (config.audience?.length === 0) complain(context, ['audience'], 'is empty; leave it out when the issuer alone decides for whom a token is')
  const { name: id, resources } = context
  const endpoint = { ...(issuer === undefined ? {} : { issuer }), ...(url === undefined ? {} : { url }), credential: credentialOf(config) }
  const carriers = carriersOf(config.in, config.bearer_scheme, context)
  if (context.mistakes.length > before) return undefined
  return createIntrospectionAuthenticator({
    id,
    carriers,
    introspect: createIntrospectionClient({ endpoint, authority: authorityOf(context, 'introspection', config.timeout), clock: resources.clock }),
    cache: verdictsOf(context, 'introspection', config.cache, config.on_error === 'allow_cached' ? STALE_IF_ERROR_MS : 0),
    issuers: issuer === undefined ? [] : [issuer],
    audience: config.audience ?? [],
    claims: new Map(Object.entries(config.claims ?? {})),
    pointers: pointersOf(config.map),
    clockToleranceMs: config.clock_tolerance,
    maxTokenLength: config.max_token_length,
    challenge: challengeOf(carriers, config.realm ?? 'postern'),
    forwardCredential: forwardingOf(config.credential, 'jwt', carriers, context),
  })
}

/** A bearer carrier is the whole Authorization header here: it is sent on as it came. */
const locationOf = (carrier: RemoteConfig['in'][number]): CredentialLocation =>
  'bearer' in carrier ? { kind: 'header', name: 'authorization' } : 'header' in carrier ? { kind: 'header', name: carrier.header.toLowerCase() } : { kind: 'cookie', name: carrier.cookie }

/** Any checking service. Off, with a warning, without a URL. */
export function compileRemote(config: RemoteConfig, context: AuthenticatorContext): Authenticator | undefined {
  const { name: id } = context
  const before = context.mistakes.length
  if (config.url === '') return warn(context, ['url'], `${id} is off: url is not set`)
  checkUrl(context, ['url'], { url: config.url, allowHttp: config.allow_http })
  const own = Object.fromEntries(Object.entries(config.headers).map(([name, value]) => [name.toLowerCase(), value]))
  const clash = Object.keys(own).find((name) => config.also.some((other) => other.toLowerCase() === name) || config.in.some((carrier) => locationOf(carrier).kind === 'header' && locationOf(carrier).name === name))
  if (clash !== undefined) complain(context, ['headers', clash], 'is one of the client\'s headers that are sent on; ours would replace it')
  const carriers = carriersOf(config.in, 'required', context)
  if (context.mistakes.length > before) return undefined
  return createRemoteAuthenticator({
    id,
    authority: authorityOf(context, 'remote', config.timeout),
    url: config.url,
    method: config.method,
    credentials: config.in.map(locationOf),
    companions: config.also.map((name) => name.toLowerCase()),
    headers: own,
    pointers: pointersOf(config.map),
    ...(config.attributes ? { attributes: new Map(Object.entries(config.attributes)) } : {}),
    cache: verdictsOf(context, 'remote', config.cache),
    challenge: challengeOf(carriers, config.realm ?? 'postern'),
    forwardCredential: forwardingOf(config.credential, 'jwt', carriers, context),
  })
}
