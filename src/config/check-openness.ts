import { usesOf, type Finding } from './finding.ts'
import type { ConfigPath } from './mistake.ts'
import type { Config, RouteConfig } from './schema.ts'

/** A list of networks that was written and keeps nobody out: a variable that is unset, or `*`. */
export function networkWarnings({ allowed_networks: networks }: Config): readonly Finding[] {
  const path = ['allowed_networks']
  if (networks?.length === 0) return [{ path, message: 'empty: clients of every network may ask. Name networks, or leave the key out' }]
  return networks?.includes('*') ? [{ path, message: '"*": clients of every network may ask' }] : []
}

const credentialsKept = ({ forward: { credentials } }: Config): boolean => (typeof credentials === 'string' ? credentials === 'keep' : Object.values(credentials).includes('keep'))

/** A gateway that refuses nothing must not be taken for one that guards. */
export function observeWarnings(config: Config): readonly Finding[] {
  if (!config.observe) return []
  const enforced = (config.routes ?? []).filter(({ mode }) => mode === 'enforce').length
  const except = enforced === 0 ? 'nothing is refused' : `only ${enforced} of the routes ${enforced === 1 ? 'refuses' : 'refuse'} anything`
  const credentials = credentialsKept(config) ? '' : '. The upstream does not see credentials; if it checks them itself, set forward.credentials: keep'
  return [{ path: ['observe'], message: `${except}: what would be is counted, logged and let pass. Remove this key to enforce${credentials}`, needs: ['routes'] }]
}

/** Headers in which the authenticators of a route read keys. */
function headersOf(config: Config, auth: RouteConfig['auth']): readonly string[] {
  const names = auth === undefined ? Object.keys(config.authenticators ?? {}) : usesOf(auth, []).map(({ name }) => name)
  return names.flatMap((name) => {
    const authenticator = config.authenticators?.[name]
    const carriers: readonly object[] = authenticator && 'in' in authenticator && Array.isArray(authenticator.in) ? authenticator.in : []
    return carriers.flatMap((carrier) => ('header' in carrier && typeof carrier.header === 'string' ? [carrier.header] : []))
  })
}

interface Readable { readonly auth: RouteConfig['auth']; readonly cors: Config['cors']; readonly path: ConfigPath }

/** Every route that pages of other origins may ask, with the policy that lets them. Without routes there is one for everything. */
function readableRoutes(config: Config): readonly Readable[] {
  const written = config.routes?.map(({ auth, deny, cors }, index) => (deny === undefined ? { auth, cors: cors ?? config.cors, path: cors ? ['routes', index, 'cors', 'headers'] : ['cors', 'headers'] } : undefined))
  const routes = written ?? [{ auth: undefined, cors: config.cors, path: ['cors', 'headers'] }]
  return routes.filter((route) => route !== undefined).filter(({ cors }) => cors !== undefined && cors.origins.length > 0)
}

/**
 * A credential header that a route reads and that its CORS list leaves out: pages of other origins fail at the preflight. Only a
 * warning, since a document may list the headers that way and its clients may be no browsers.
 */
export function browserWarnings(config: Config): readonly Finding[] {
  const found = new Map<string, Finding>()
  for (const { auth, cors, path } of readableRoutes(config)) {
    const listed = new Set(cors?.headers.map((name) => name.toLowerCase()))
    if (listed.has('*')) continue
    for (const header of headersOf(config, auth).filter((name) => !listed.has(name.toLowerCase()))) {
      const message = `${header} is not listed, and keys are read from it: pages of other origins cannot send it. Append ${header.toLowerCase()} if browsers shall call this API`
      found.set(`${path.join('.')} ${header.toLowerCase()}`, { path, message, needs: ['authenticators', 'routes'] })
    }
  }
  return [...found.values()]
}
