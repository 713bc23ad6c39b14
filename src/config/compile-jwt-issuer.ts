import { createSecretKey } from 'node:crypto'
import { secretFault } from '../authenticators/hmac-secret.ts'
import type { JwtIssuer } from '../authenticators/jwt.ts'
import type { SigningKeys } from '../authenticators/jwt-signature.ts'
import { createKeyFile } from '../authenticators/key-file.ts'
import type { KeySource } from '../authenticators/key-source.ts'
import { isTrustworthyUrl } from '../authenticators/side-call.ts'
import { awaited, complain, type AuthenticatorContext } from './authenticator-context.ts'
import { keepKeySource } from './keep-key-source.ts'
import type { ConfigPath } from './mistake.ts'
import type { AuthenticatorConfig } from './schema.ts'

type JwtConfig = Extract<AuthenticatorConfig, { type: 'jwt' }>
/** One issuer, from the list or from the authenticator itself, with the path of its keys below the authenticator. */
export interface WrittenIssuer {
  readonly written: NonNullable<JwtConfig['issuers']>[number]
  readonly path: ConfigPath
  readonly jwks: JwtConfig['jwks']
  /** What stands in for `aud` although no claim does, in the words of a preset. */
  readonly substitute?: string
}

/** Claims that say for whom a token is where `aud` does not: a client, an application, a kind of use. */
export const AUDIENCE_SUBSTITUTES: readonly string[] = ['azp', 'client_id', 'cid', 'appid', 'token_use', 'resource']

const KEY_SET_ALGORITHMS = ['ES256', 'RS256', 'EdDSA']
const MAX_SECRETS = 8

const namesOf = ({ written }: WrittenIssuer): readonly string[] => written.issuer.filter((issuer) => issuer !== '')
const secretsOf = ({ written }: WrittenIssuer): readonly string[] => (written.secret ?? []).filter((secret) => secret !== '')

/** Whether what feeds this issuer is empty, as unset variables leave it. */
export const isOff = (issuer: WrittenIssuer): boolean => {
  const { secret, jwks_url: url, jwks_file: file } = issuer.written
  return namesOf(issuer).length === 0 || (secret !== undefined && secretsOf(issuer).length === 0 && url === undefined && file === undefined)
}

function algorithmsOf(issuer: WrittenIssuer, symmetric: boolean, context: AuthenticatorContext): readonly string[] {
  const written = issuer.written.algorithms
  if (!written) return symmetric ? ['HS256'] : KEY_SET_ALGORITHMS
  const strange = written.find((alg) => alg.startsWith('HS') !== symmetric)
  if (strange !== undefined) {
    const message = symmetric ? `"${strange}" needs published keys, and this issuer has a secret; give it an issuer of its own` : `"${strange}" needs a secret, and this issuer publishes its keys; a secret that is public is none`
    complain(context, [...issuer.path, 'algorithms'], message)
  }
  return written
}

/** For whom tokens must be; a token for anybody is a token for an attacker's own account (T37). */
function checkAudience({ written, path, substitute }: WrittenIssuer, context: AuthenticatorContext): void {
  if (substitute !== undefined) return
  const substitutes = Object.entries(written.claims ?? {}).filter(([name, values]) => AUDIENCE_SUBSTITUTES.includes(name) && values.some((value) => value !== ''))
  if ((written.audience ?? []).length === 0 && substitutes.length === 0) {
    complain(context, [...path, 'audience'], `expected the audience that tokens for this API have in "aud"; where the issuer sets none, a claim that stands in for it, such as claims: {azp: my-app} (${AUDIENCE_SUBSTITUTES.join(', ')})`)
  }
}

function secretKeys(issuer: WrittenIssuer, context: AuthenticatorContext): SigningKeys {
  const secrets = secretsOf(issuer)
  for (const [index, secret] of (issuer.written.secret ?? []).entries()) {
    const fault = secret === '' ? undefined : secretFault(secret)
    if (fault !== undefined) complain(context, [...issuer.path, 'secret', ...((issuer.written.secret ?? []).length > 1 ? [index] : [])], fault)
  }
  if (secrets.length > MAX_SECRETS) complain(context, [...issuer.path, 'secret'], `expected at most ${MAX_SECRETS} secrets`)
  return { kind: 'secrets', secrets: secrets.map((secret) => createSecretKey(Buffer.from(secret))) }
}

function fileSource(file: string, { path }: WrittenIssuer, context: AuthenticatorContext): KeySource | undefined {
  try {
    return context.resources.keep('key_file', file, () => createKeyFile(file, context.resources))
  } catch (error) {
    complain(context, [...path, 'jwks_file'], `${file} is not usable: ${error instanceof Error ? error.message : 'it cannot be read'}`)
    return undefined
  }
}

/** Plain http would let anybody on the way choose the keys. */
function checkUrl(url: string, key: ConfigPath, context: AuthenticatorContext): boolean {
  if (isTrustworthyUrl(url)) return true
  complain(context, key, URL.canParse(url) ? `${JSON.stringify(url)} – expected https; plain http only on this host` : `${JSON.stringify(url)} is not a URL, so its keys cannot be found by discovery; add jwks_url`)
  return false
}

function remoteSource(issuer: WrittenIssuer, context: AuthenticatorContext): KeySource | undefined {
  const { written: { jwks_url: jwksUrl }, path, jwks } = issuer
  const issuers = namesOf(issuer)
  const [id = ''] = issuers
  if (!(jwksUrl === undefined ? checkUrl(id, [...path, 'issuer'], context) : checkUrl(jwksUrl, [...path, 'jwks_url'], context))) return undefined
  const settings = { id, issuers, jwksUrl, timeoutMs: jwks.timeout, maxAgeMs: jwks.max_age, cooldownMs: jwks.cooldown, staleIfErrorMs: jwks.stale_if_error }
  return keepKeySource(settings, context.resources)
}

function keysOf(issuer: WrittenIssuer, context: AuthenticatorContext): SigningKeys | undefined {
  const { jwks_url: url, jwks_file: file } = issuer.written
  const symmetric = secretsOf(issuer).length > 0
  if ([symmetric, url !== undefined, file !== undefined].filter(Boolean).length > 1) {
    complain(context, [...issuer.path, symmetric ? 'secret' : 'jwks_file'], 'only one of secret, jwks_url and jwks_file: which keys count must not be a matter of order')
    return undefined
  }
  if (symmetric) return secretKeys(issuer, context)
  const source = file === undefined ? remoteSource(issuer, context) : fileSource(file, issuer, context)
  return source && { kind: 'source', source: awaited(source, context) }
}

/** One trusted issuer, or undefined when something is wrong with it. */
export function compileJwtIssuer(issuer: WrittenIssuer, context: AuthenticatorContext): JwtIssuer | undefined {
  checkAudience(issuer, context)
  const algorithms = algorithmsOf(issuer, secretsOf(issuer).length > 0, context)
  const keys = keysOf(issuer, context)
  const constraints = Object.entries(issuer.written.claims ?? {}).map(([name, values]) => ({ name, values: values.filter((value) => value !== '') }))
  return keys && { issuers: namesOf(issuer), audience: issuer.written.audience ?? [], constraints, algorithms, keys }
}
