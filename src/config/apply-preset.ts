import { presetSettings, type PresetSettings } from '../authenticators/presets.ts'
import { claimMapping } from './schema-authenticator-parts.ts'
import type { AuthenticatorConfig } from './schema.ts'

type JwtConfig = Extract<AuthenticatorConfig, { type: 'jwt' }>

/** A JWT authenticator with its preset written out, and what only a preset can say. */
export interface PresetApplied {
  readonly jwt: JwtConfig
  readonly refused?: PresetSettings['refused']
  /** What stands in for `aud`; a config without either is refused. */
  readonly substitute?: string
}

const DEFAULT_MAP = claimMapping.parse({})

/** Members that the operator left at their defaults become the preset's; what was written wins. */
function mapOf({ map }: JwtConfig, preset: PresetSettings): JwtConfig['map'] {
  const chosen = Object.entries(preset.map).filter(([key]) => JSON.stringify(map[key as keyof typeof map]) === JSON.stringify(DEFAULT_MAP[key as keyof typeof map])) // keys of the same shape
  return { ...map, ...Object.fromEntries(chosen.map(([key, pointers]) => [key, [...pointers]])) }
}

/** Keys from somewhere else than the preset says. */
const hasOwnKeys = ({ jwks_url: url, jwks_file: file, secret }: JwtConfig): boolean => url !== undefined || file !== undefined || secret !== undefined

/** Writes a preset out into the settings it stands for. */
export function applyPreset(jwt: JwtConfig): PresetApplied {
  const preset = jwt.preset && presetSettings(jwt.preset)
  if (!preset) return { jwt }
  const audience = jwt.audience ?? preset.audience
  const algorithms = jwt.algorithms ?? (preset.algorithms as NonNullable<JwtConfig['algorithms']>) // names the schema knows; a test compiles every preset
  const claims = Object.fromEntries(Object.entries({ ...preset.claims, ...jwt.claims }).map(([name, values]) => [name, [...values]]))
  const applied: JwtConfig = {
    ...jwt,
    issuer: jwt.issuer ?? [...preset.issuers],
    ...(hasOwnKeys(jwt) || preset.jwksUrl === undefined ? {} : { jwks_url: preset.jwksUrl }),
    ...(audience ? { audience: [...audience] } : {}),
    algorithms: [...algorithms],
    claims,
    typ: jwt.typ === 'deny_id_token' ? (preset.typ ?? jwt.typ) : jwt.typ,
    required_claims: [...(preset.requiredClaims ?? []), ...jwt.required_claims],
    map: mapOf(jwt, preset),
  }
  return { jwt: applied, ...(preset.refused ? { refused: preset.refused } : {}), ...(preset.substitute === undefined ? {} : { substitute: preset.substitute }) }
}
