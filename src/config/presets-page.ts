import { presetSettings, PRESET_NAMES, type PresetName, type PresetSettings, type WrittenPreset } from '../authenticators/presets.ts'
import { presetParameters } from './schema-presets.ts'

/** Parameters with which the page shows each preset. */
export const PRESET_EXAMPLES: { readonly [name in PresetName]: NonNullable<WrittenPreset[name]> } = {
  supabase: { url: 'https://abcdefgh.supabase.co' },
  auth0: { domain: 'acme.eu.auth0.com' },
  keycloak: { url: 'https://id.example.com', realm: 'acme', client_id: 'web' },
  okta: { domain: 'acme.okta.com', server: 'default' },
  cognito: { region: 'eu-central-1', pool_id: 'eu-central-1_AbCdEfGhI', client_id: '4abc' },
  firebase: { project_id: 'acme-app' },
  entra: { tenant_id: '11111111-1111-4111-8111-111111111111', client_id: '22222222-2222-4222-8222-222222222222' },
  google: { client_id: '1234.apps.googleusercontent.com' },
  zitadel: { domain: 'acme.zitadel.cloud', project_id: '987654321' },
  logto: { domain: 'acme.logto.app', resource: 'https://api.example.com' },
  workos: { client_id: 'client_01' },
  clerk: { domain: 'clerk.example.com', origins: ['https://app.example.com'] },
  better_auth: { url: 'https://app.example.com' },
}

/** What an operator should know before choosing one. */
const NOTES: Readonly<Record<PresetName, string>> = {
  supabase: 'Prefer `type: supabase`: it knows the anon key, anonymous users, legacy HS256 tokens and logouts.',
  auth0: 'The issuer ends in a slash. Without an `audience` in the login request, tokens are opaque and no JWT at all.',
  keycloak: '`aud` is usually `account`. Add an audience mapper and write `audience`, or name the client. ID and refresh tokens are refused by the claim `typ`.',
  okta: 'Only custom authorization servers. The id is `uid`: `sub` is a login, which can change hands.',
  cognito: 'Access tokens only; they name the client instead of an audience. Scopes and `cognito:groups` come along.',
  firebase: 'The ID token is the bearer token.',
  entra: 'v2 tokens of one tenant. The id is `oid`: `sub` differs from application to application.',
  google: 'ID tokens only; access tokens of Google are opaque. Both spellings of the issuer are accepted.',
  zitadel: 'The application must issue JWTs; opaque tokens need `type: introspection`. Roles are the keys of an object.',
  logto: 'JWTs only when the client asks for the `resource`; opaque tokens need `type: introspection`.',
  workos: 'Session tokens have no audience; the key set belongs to this client alone.',
  clerk: 'Session tokens have no audience; `azp` must be one of the origins, and absent is refused. Pending sessions are refused. Add `{cookie: __session}` to `in` for cookies.',
  better_auth: 'Tokens of its JWT plugin. For its session cookie use `type: session` with `provider: better_auth`.',
}

const code = (values: readonly string[]): string => values.map((value) => `\`${value}\``).join(' or ')

/** For whom a token must be, in words. */
function forWhom({ audience, claims, substitute }: PresetSettings): string {
  const party = Object.entries(claims ?? {}).filter(([name]) => ['azp', 'client_id'].includes(name)).map(([name, values]) => `\`${name}\` is ${code(values)}`)
  if (audience) return `\`aud\` has ${code(audience)}`
  return [...party, ...(substitute === undefined ? [] : [substitute])].join(', ') || '`aud` has what you write as `audience`'
}

function furtherChecks({ claims, refused, requiredClaims, typ }: PresetSettings): string {
  const must = Object.entries(claims ?? {}).filter(([name]) => !['azp', 'client_id'].includes(name)).map(([name, values]) => `\`${name}\` is ${code(values)}`)
  const mustNot = Object.entries(refused ?? {}).map(([name, values]) => `\`${name}\` is not ${code(values)}`)
  const present = (requiredClaims ?? []).map((name) => `\`${name}\` is present`)
  return [...must, ...mustNot, ...present, ...(typ === 'any' ? ['ID tokens count'] : [])].join('; ') || '–'
}

const parameterLines = (name: PresetName): readonly string[] =>
  Object.entries(presetParameters[name].shape).map(([parameter, schema]) => `| \`${parameter}\` | ${(schema as { readonly description?: string }).description ?? ''} |`) // every schema of a shape has it

function written(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(written).join(', ')}]` : JSON.stringify(value)
}

function section(name: PresetName): string {
  const example = PRESET_EXAMPLES[name]
  const settings = presetSettings({ [name]: example })
  if (!settings) return ''
  const needsAudience = !settings.audience && !settings.substitute && !Object.keys(settings.claims ?? {}).some((claim) => ['azp', 'client_id'].includes(claim))
  const parameters = Object.entries(example).map(([key, value]) => `${key}: ${written(value)}`).join(', ')
  return `## ${name}

${NOTES[name]}

\`\`\`yaml
authenticators:
  users:
    type: jwt
    preset: { ${name}: { ${parameters} } }
${needsAudience ? '    audience: orders-api\n' : ''}\`\`\`

| Parameter | Meaning |
|---|---|
${parameterLines(name).join('\n')}

| | |
|---|---|
| \`iss\` | ${code(settings.issuers)} |
| keys | ${settings.jwksUrl === undefined ? 'found by discovery' : `\`${settings.jwksUrl}\``} |
| algorithms | ${settings.algorithms.join(', ')} |
| for whom | ${forWhom(settings)} |
| also checked | ${furtherChecks(settings)} |
| id | ${code(settings.map.subject ?? ['/sub'])} |
| scopes | ${code(settings.map.scopes ?? ['/scope', '/scp'])} |
| roles | ${code(settings.map.roles ?? ['/roles'])} |
`
}

/** `docs/presets.md`, whole. */
export const presetsDocument = (): string => `# Presets

Settings of well-known issuers for \`type: jwt\`, so that three lines are enough. Each checks for whom a token is: by \`aud\`, or by what
stands in for it where the issuer sets none. A config with neither is refused at start.

What you write beside a preset wins over it: \`audience\`, \`issuer\`, \`jwks_url\`, \`algorithms\`, members of \`map\`, single \`claims\`.

${PRESET_NAMES.map(section).join('\n')}`
