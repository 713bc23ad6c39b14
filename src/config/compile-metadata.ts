import type { Route } from '../model/route.ts'
import type { RouteEntry } from '../pipeline/route-table.ts'
import { createCorsPolicy } from '../wire/cors.ts'
import type { RouteConfig } from './schema.ts'

type McpConfig = NonNullable<RouteConfig['mcp']>

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

/** RFC 9728 section 3.1: the well-known part stands between host and path. */
export function metadataUrl(resource: string): string {
  const url = new URL(resource)
  const path = url.pathname === '/' ? '' : url.pathname
  return `${url.origin}${WELL_KNOWN}${path}`
}

function documentOf({ resource, authorization_servers, scopes, name }: McpConfig): string {
  return JSON.stringify({
    resource,
    authorization_servers,
    ...(scopes.length > 0 && { scopes_supported: scopes }),
    bearer_methods_supported: ['header'],
    ...(name !== undefined && { resource_name: name }),
  })
}

/** Any page may read the metadata: it holds nothing secret, and browser clients need it. */
const OPEN = createCorsPolicy({ origins: ['*'], credentials: false, methods: ['GET', 'HEAD'], headers: ['*'], expose: [] })

/**
 * The public routes that serve the metadata of a protected resource, at its own location and at the root (older clients
 * try that one). `resource` comes from the config, never from a request.
 */
export function metadataRoutes(configs: readonly McpConfig[], base: (id: string) => Route): RouteEntry[] {
  const entries = new Map<string, RouteEntry>()
  for (const config of configs) {
    const body = documentOf(config)
    const headers = [['Content-Type', 'application/json'], ['Cache-Control', 'public, max-age=300']] as const
    for (const pattern of new Set([new URL(metadataUrl(config.resource)).pathname, WELL_KNOWN])) {
      if (entries.has(pattern)) continue
      const route: Route = { ...base(`metadata ${pattern}`), cors: OPEN, answer: () => ({ status: 200, headers, body }) }
      entries.set(pattern, { pattern, methods: new Set(['GET', 'HEAD']), route })
    }
  }
  return [...entries.values()]
}
