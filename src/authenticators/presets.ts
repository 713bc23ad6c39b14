import type { IdentityPointers } from './identity-claims.ts'
import type { TypPolicy } from './jwt-claims.ts'

/** What a well-known issuer's tokens look like, for the JWT authenticator. What the operator writes beside it wins. */
export interface PresetSettings {
  /** Every spelling of `iss`; compared exactly. */
  readonly issuers: readonly string[]
  /** Absent: found by discovery. */
  readonly jwksUrl?: string
  readonly algorithms: readonly string[]
  /** When a parameter says for whom tokens are. Absent: the operator writes `audience`, or a substitute below stands in. */
  readonly audience?: readonly string[]
  /** Claims that must have one of these values. */
  readonly claims?: Readonly<Record<string, readonly string[]>>
  /** Claims that must not have one of these values. */
  readonly refused?: Readonly<Record<string, readonly string[]>>
  /** What says for whom a token is where `aud` does not, when it is not one of `claims`. */
  readonly substitute?: string
  readonly typ?: TypPolicy
  readonly requiredClaims?: readonly string[]
  readonly map: Partial<Pick<IdentityPointers, 'subject' | 'scopes' | 'roles' | 'email'>>
}

interface Parameters {
  readonly supabase: { readonly url: string }
  readonly auth0: { readonly domain: string }
  readonly keycloak: { readonly url: string; readonly realm: string; readonly client_id?: string | undefined }
  readonly okta: { readonly domain: string; readonly server: string }
  readonly cognito: { readonly region: string; readonly pool_id: string; readonly client_id: string }
  readonly firebase: { readonly project_id: string }
  readonly entra: { readonly tenant_id: string; readonly client_id: string }
  readonly google: { readonly client_id: string; readonly hosted_domain?: string | undefined }
  readonly zitadel: { readonly domain: string; readonly project_id: string }
  readonly logto: { readonly domain: string; readonly resource: string }
  readonly workos: { readonly client_id: string }
  readonly clerk: { readonly domain: string; readonly origins: readonly string[] }
  readonly better_auth: { readonly url: string }
}

export type PresetName = keyof Parameters

/** A preset as it is written: one name with its parameters. */
export type WrittenPreset = { readonly [name in PresetName]?: Parameters[name] | undefined }

const base = (url: string): string => url.replace(/\/$/, '')

type Settings = { readonly [name in PresetName]: (parameters: Parameters[name]) => PresetSettings }

/** Facts about each issuer. Where `aud` is absent or somebody else's, a substitute is checked. */
const SETTINGS: Settings = {
  supabase: ({ url }) => ({
    issuers: [`${base(url)}/auth/v1`],
    jwksUrl: `${base(url)}/auth/v1/.well-known/jwks.json`,
    algorithms: ['ES256', 'RS256'],
    audience: ['authenticated'],
    // The anon key is a JWT as well, and third-party clients have the same audience: `type: supabase` knows both.
    claims: { role: ['authenticated'] },
    refused: { is_anonymous: ['true'] },
    map: { scopes: ['/scope'], roles: ['/app_metadata/roles', '/app_metadata/role'] },
  }),
  auth0: ({ domain }) => ({
    issuers: [`https://${domain}/`],
    jwksUrl: `https://${domain}/.well-known/jwks.json`,
    algorithms: ['RS256'],
    map: { scopes: ['/permissions', '/scope'] },
  }),
  keycloak: ({ url, realm, client_id: client }) => ({
    issuers: [`${base(url)}/realms/${realm}`],
    jwksUrl: `${base(url)}/realms/${realm}/protocol/openid-connect/certs`,
    algorithms: ['RS256', 'ES256', 'PS256'],
    // `aud` is usually `account`; ID and refresh tokens differ in the claim `typ` only.
    claims: { typ: ['Bearer'], ...(client === undefined ? {} : { azp: [client] }) },
    map: { scopes: ['/scope'], roles: [...(client === undefined ? [] : [`/resource_access/${client.replaceAll('~', '~0').replaceAll('/', '~1')}/roles`]), '/realm_access/roles'] },
  }),
  okta: ({ domain, server }) => ({
    issuers: [`https://${domain}/oauth2/${server}`],
    jwksUrl: `https://${domain}/oauth2/${server}/v1/keys`,
    algorithms: ['RS256'],
    // `sub` is the login, which can be renamed and given to somebody else; tokens of machines have no `uid`.
    map: { subject: ['/uid', '/cid'], scopes: ['/scp'], roles: ['/groups'] },
  }),
  cognito: ({ region, pool_id: pool, client_id: client }) => ({
    issuers: [`https://cognito-idp.${region}.amazonaws.com/${pool}`],
    jwksUrl: `https://cognito-idp.${region}.amazonaws.com/${pool}/.well-known/jwks.json`,
    algorithms: ['RS256'],
    claims: { token_use: ['access'], client_id: [client] },
    map: { scopes: ['/scope'], roles: ['/cognito:groups'] },
  }),
  firebase: ({ project_id: project }) => ({
    issuers: [`https://securetoken.google.com/${project}`],
    jwksUrl: 'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com',
    algorithms: ['RS256'],
    audience: [project],
    // The ID token is the bearer token here.
    typ: 'any',
    requiredClaims: ['auth_time'],
    map: {},
  }),
  entra: ({ tenant_id: tenant, client_id: client }) => ({
    issuers: [`https://login.microsoftonline.com/${tenant}/v2.0`],
    jwksUrl: `https://login.microsoftonline.com/${tenant}/discovery/v2.0/keys`,
    algorithms: ['RS256'],
    audience: [client],
    claims: { ver: ['2.0'], tid: [tenant] },
    // `sub` differs from application to application; `oid` is one person (or service) in the tenant.
    map: { subject: ['/oid'], scopes: ['/scp'], roles: ['/roles'], email: ['/email', '/preferred_username'] },
  }),
  google: ({ client_id: client, hosted_domain: hosted }) => ({
    issuers: ['https://accounts.google.com', 'accounts.google.com'],
    jwksUrl: 'https://www.googleapis.com/oauth2/v3/certs',
    algorithms: ['RS256'],
    audience: [client],
    ...(hosted === undefined ? {} : { claims: { hd: [hosted] } }),
    typ: 'any',
    map: {},
  }),
  zitadel: ({ domain, project_id: project }) => ({
    issuers: [`https://${domain}`],
    jwksUrl: `https://${domain}/oauth/v2/keys`,
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    audience: [project],
    // An object whose keys are the roles.
    map: { scopes: ['/scope'], roles: [`/urn:zitadel:iam:org:project:${project}:roles`, '/urn:zitadel:iam:org:project:roles'] },
  }),
  logto: ({ domain, resource }) => ({
    issuers: [`https://${domain}/oidc`],
    jwksUrl: `https://${domain}/oidc/jwks`,
    algorithms: ['ES384', 'RS256'],
    audience: [resource],
    map: { scopes: ['/scope'], roles: ['/roles'] },
  }),
  workos: ({ client_id: client }) => ({
    issuers: ['https://api.workos.com', `https://api.workos.com/user_management/${client}`],
    jwksUrl: `https://api.workos.com/sso/jwks/${client}`,
    algorithms: ['RS256'],
    substitute: 'the key set, which is that of this client alone',
    requiredClaims: ['sid'],
    map: { scopes: ['/permissions', '/scope'], roles: ['/roles', '/role'] },
  }),
  clerk: ({ domain, origins }) => ({
    issuers: [`https://${domain}`],
    jwksUrl: `https://${domain}/.well-known/jwks.json`,
    algorithms: ['RS256'],
    claims: { azp: origins },
    // Somebody who has not finished signing in.
    refused: { sts: ['pending'] },
    map: { scopes: ['/org_permissions', '/scope'], roles: ['/org_role', '/o/rol'] },
  }),
  better_auth: ({ url }) => ({
    issuers: [base(url)],
    jwksUrl: `${base(url)}/api/auth/jwks`,
    algorithms: ['EdDSA', 'ES256', 'RS256'],
    audience: [base(url)],
    map: { roles: ['/role'] },
  }),
}

export const PRESET_NAMES = Object.keys(SETTINGS) as readonly PresetName[] // an object literal of exactly these keys

const settingsOf = <N extends PresetName>(name: N, parameters: Parameters[N]): PresetSettings => SETTINGS[name](parameters)

/** The settings of the one preset that is written, or undefined when none is. */
export function presetSettings(written: WrittenPreset): PresetSettings | undefined {
  for (const name of PRESET_NAMES) {
    const parameters = written[name]
    // Name and parameters come from one entry of the same object.
    if (parameters !== undefined) return settingsOf(name, parameters as never)
  }
  return undefined
}
