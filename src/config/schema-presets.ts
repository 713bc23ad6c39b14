import { z } from 'zod'
import { httpUrl, list, text } from './scalars.ts'

/** A host with an optional port and nothing else: it becomes part of a URL that keys are fetched from. */
const host = z.string().regex(/^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?$/, 'expected a host such as "acme.eu.auth0.com", without https:// and without a path').meta({ title: 'host' })
/** One path segment. */
const segment = z.string().regex(/^[A-Za-z0-9._~-]+$/, 'expected letters, digits, ".", "_", "~" and "-"').refine((value) => !/^\.{1,2}$/.test(value), 'expected a name').meta({ title: 'name' })

const PRESETS = {
  supabase: z.strictObject({ url: httpUrl.describe('The project, such as https://abcdefgh.supabase.co.') }),
  auth0: z.strictObject({ domain: host.describe('Tenant, such as acme.eu.auth0.com. Write `audience` beside it.') }),
  keycloak: z.strictObject({
    url: httpUrl.describe('The server, with /auth for old ones.'),
    realm: segment.describe('The realm.'),
    client_id: segment.optional().describe('The client that users come through, checked as `azp`, where no audience mapper puts this API into `aud`. Without it write `audience`.'),
  }),
  okta: z.strictObject({ domain: host.describe('Organisation, such as acme.okta.com. Write `audience` beside it.'), server: segment.default('default').describe('Custom authorization server. Tokens of the organisation itself are not for APIs.') }),
  cognito: z.strictObject({
    region: z.string().regex(/^[a-z0-9-]+$/, 'expected a region such as "eu-central-1"').describe('Region, such as eu-central-1.'),
    pool_id: z.string().regex(/^[A-Za-z0-9_-]+$/, 'expected a pool id such as "eu-central-1_AbCdEfGhI"').describe('User pool.'),
    client_id: text.describe('App client: access tokens have no `aud`.'),
  }),
  firebase: z.strictObject({ project_id: segment.describe('The project.') }),
  entra: z.strictObject({ tenant_id: segment.describe('Tenant, as a GUID.'), client_id: segment.describe('Application id of this API; v2 tokens have it in `aud`.') }),
  google: z.strictObject({ client_id: text.describe('OAuth client id.'), hosted_domain: text.optional().describe('Workspace domain that users must belong to.') }),
  zitadel: z.strictObject({ domain: host.describe('Instance, such as acme.zitadel.cloud.'), project_id: segment.describe('Project, whose id is in `aud`.') }),
  logto: z.strictObject({ domain: host.describe('Tenant, such as acme.logto.app.'), resource: text.describe('API resource indicator, which is in `aud`.') }),
  workos: z.strictObject({ client_id: segment.describe('Application; its key set is its own.') }),
  clerk: z.strictObject({ domain: host.describe('Frontend API, such as clerk.example.com.'), origins: list.refine((origins) => origins.length > 0, 'expected at least one origin').describe('Origins in `azp`: session tokens have no `aud`.') }),
  better_auth: z.strictObject({ url: httpUrl.describe('BASE_URL of the application; issuer and audience.') }),
} as const

/** Parameters of each preset, for its page. */
export const presetParameters: Readonly<Record<keyof typeof PRESETS, z.ZodObject>> = PRESETS

/** Exactly one well-known issuer. */
export const preset = z.strictObject({
  supabase: PRESETS.supabase.optional().describe('Supabase.'),
  auth0: PRESETS.auth0.optional().describe('Auth0.'),
  keycloak: PRESETS.keycloak.optional().describe('Keycloak.'),
  okta: PRESETS.okta.optional().describe('Okta custom authorization servers.'),
  cognito: PRESETS.cognito.optional().describe('Amazon Cognito.'),
  firebase: PRESETS.firebase.optional().describe('Firebase Authentication.'),
  entra: PRESETS.entra.optional().describe('Microsoft Entra ID.'),
  google: PRESETS.google.optional().describe('Google ID tokens.'),
  zitadel: PRESETS.zitadel.optional().describe('Zitadel.'),
  logto: PRESETS.logto.optional().describe('Logto.'),
  workos: PRESETS.workos.optional().describe('WorkOS sessions.'),
  clerk: PRESETS.clerk.optional().describe('Clerk sessions.'),
  better_auth: PRESETS.better_auth.optional().describe('JWTs of better-auth.'),
}).refine((written) => Object.values(written).filter((value) => value !== undefined).length === 1, 'expected exactly one preset, such as {auth0: {domain: acme.eu.auth0.com}}').meta({ title: 'preset' })
