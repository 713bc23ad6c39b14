import { createBetterAuthAuthenticator } from '../authenticators/better-auth.ts'
import { createAskSession } from '../authenticators/session-endpoint.ts'
import { createSessionAuthenticator, SESSION_FAMILIES, type AskSession, type SessionFamily } from '../authenticators/session.ts'
import type { SessionVersion } from '../authenticators/session-keys.ts'
import type { Authenticator } from '../model/ports.ts'
import { complain, forwardingOf, type AuthenticatorContext } from './authenticator-context.ts'
import { authorityOf, checkUrl, pointersOf, verdictsOf, warn, type KindOf } from './provider-context.ts'

type SessionConfig = KindOf<'session'>

const MAX_SECRETS = 10
/** What the libraries themselves ask for; shorter ones can be guessed from a single cookie. */
const GOOD_SECRET_LENGTH = 32

const VERSIONS: Readonly<Record<'auto' | 'nextauth' | 'authjs', readonly SessionVersion[]>> = { auto: ['v5', 'v4'], nextauth: ['v5', 'v4'], authjs: ['v5'] }

export function familiesOf({ provider, versions, cookies }: SessionConfig): readonly SessionFamily[] {
  const chosen = versions ?? VERSIONS[provider === 'better_auth' ? 'auto' : provider]
  return cookies ? cookies.map((name) => ({ name, versions: chosen })) : (['v5', 'v4'] as const).filter((version) => chosen.includes(version)).map((version) => SESSION_FAMILIES[version])
}

function secretsOf(config: SessionConfig, context: AuthenticatorContext): readonly string[] {
  const secrets = config.secrets.filter((secret) => secret !== '')
  if (secrets.length > MAX_SECRETS) complain(context, ['secrets'], `${secrets.length} secrets – expected at most ${MAX_SECRETS}`)
  if (secrets.some((secret) => secret.length < GOOD_SECRET_LENGTH)) warn(context, ['secrets'], `a secret of fewer than ${GOOD_SECRET_LENGTH} characters can be guessed by whoever has one cookie`)
  return secrets
}

function checkBetterAuth({ provider, cookie_cache: cache, endpoint, cookies }: SessionConfig, secrets: readonly string[], context: AuthenticatorContext): void {
  if (provider !== 'better_auth') {
    if (cache !== 'off') complain(context, ['cookie_cache'], 'is for "provider: better_auth" only')
    return
  }
  if (cookies) complain(context, ['cookies'], 'is not for better_auth; set cookie_prefix')
  if (cache !== 'off' && secrets.length === 0) complain(context, ['cookie_cache'], 'cannot be believed without secrets')
  if (cache === 'off' && !endpoint) complain(context, ['provider'], 'better_auth sessions live in a database: set endpoint, such as "http://127.0.0.1:3000/api/auth/get-session"')
}

/** Sessions in cookies. Off, with a warning, when there is neither a secret nor an endpoint. */
export function compileSession(config: SessionConfig, context: AuthenticatorContext): Authenticator | undefined {
  const { name: id } = context
  const before = context.mistakes.length
  const secrets = secretsOf(config, context)
  const endpoint = config.endpoint ?? ''
  if (secrets.length === 0 && endpoint === '') return warn(context, ['secrets'], `${id} is off: neither secrets nor endpoint is set`)
  checkBetterAuth(config, secrets, context)
  checkUrl(context, ['endpoint'], { url: endpoint, allowHttp: config.allow_http })
  const pointers = pointersOf(config.map)
  const ask: AskSession | undefined = endpoint === '' ? undefined : createAskSession({ authority: authorityOf(context, 'session', config.timeout), url: endpoint, pointers })
  const common = {
    id, secrets, pointers,
    ...(ask ? { ask } : {}),
    cache: verdictsOf(context, 'session', config.cache),
    attributes: config.attributes,
    clockToleranceMs: config.clock_tolerance,
    challenge: { scheme: 'Cookie', parameters: [['realm', config.realm ?? 'postern']] } as const,
    forwardCredential: forwardingOf(config.credential, 'jwt', [], context),
  }
  if (context.mistakes.length > before) return undefined
  return config.provider === 'better_auth'
    ? createBetterAuthAuthenticator({ ...common, prefix: config.cookie_prefix, cookieCache: config.cookie_cache })
    : createSessionAuthenticator({ ...common, families: familiesOf(config) })
}
