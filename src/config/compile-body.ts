import type { Principal, Principals } from '../model/principal.ts'
import type { BodyPolicy } from '../model/route.ts'
import type { ConfigPath, Mistake } from './mistake.ts'
import { compilePrincipalTemplate, PrincipalTemplateError, type PrincipalTemplate } from './principal-template.ts'
import type { RouteConfig } from './schema.ts'
import { size } from './scalars.ts'

type BodyConfig = NonNullable<RouteConfig['body']>
type Assertion = readonly [path: readonly string[], template: PrincipalTemplate]

function memberAt(body: unknown, path: readonly string[]): unknown {
  let value = body
  for (const name of path) value = typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined
  return value
}

const speaker = (principals: Principals, when: string | undefined): Principal | undefined => (when === undefined ? principals.primary : principals.byAuthenticator.get(when))

/** A member that is absent asserts nothing. */
const holds = (asserted: unknown, proven: unknown): boolean => asserted === undefined || asserted === proven

/** What APIs take for a yes: `"true"` and 1 are believed as readily as `true`. */
const says = (asserted: unknown, value: unknown): boolean => (value === true ? Boolean(asserted) : asserted === value)

/** What the client asserts about itself in the body must be what was proven. */
function createCheck(config: BodyConfig, assertions: readonly Assertion[]): NonNullable<BodyPolicy['check']> {
  const forbidden = Object.entries(config.forbid_anonymous ?? {}).map(([path, value]) => [path.split('.'), value] as const)
  return (body, principals) => {
    if (speaker(principals, config.when)?.kind === 'identified') return assertions.every(([path, template]) => holds(memberAt(body, path), template(principals)))
    return forbidden.every(([path, value]) => !says(memberAt(body, path), value))
  }
}

/** The body policy of a route, or undefined when it has none or it is switched off. */
export function compileBody(config: BodyConfig | undefined, path: ConfigPath, authenticators: ReadonlySet<string>, mistakes: Mistake[]): BodyPolicy | undefined {
  if (!config?.enabled) return undefined
  const assertions: Assertion[] = []
  for (const [member, text] of Object.entries(config.require_equal ?? {})) {
    try {
      assertions.push([member.split('.'), compilePrincipalTemplate(text, authenticators)])
    } catch (error) {
      if (!(error instanceof PrincipalTemplateError)) throw error
      mistakes.push({ path: [...path, 'require_equal', member], message: error.message })
    }
  }
  const bytes = size.safeParse(config.max_bytes)
  if (!bytes.success) mistakes.push({ path: [...path, 'max_bytes'], message: bytes.error.issues[0]?.message ?? 'expected a size' })
  const checked = assertions.length > 0 || config.forbid_anonymous !== undefined
  return {
    maxBytes: bytes.success ? bytes.data : 0,
    contentTypes: config.content_types.map((type) => type.toLowerCase()),
    ...(checked && { check: createCheck(config, assertions) }),
    ...(config.grant_types && { grantTypes: new Set(config.grant_types) }),
  }
}
