import type { DurationMs } from '../base/time.ts'
import type { CorsPolicy } from '../model/route.ts'

/** As the config writes it. */
export interface CorsSettings {
  /** Exact origins as browsers send them, or `*` alone. Empty: nobody. */
  readonly origins: readonly string[]
  readonly credentials: boolean
  readonly methods: readonly string[]
  readonly headers: readonly string[]
  readonly expose: readonly string[]
  readonly max_age?: DurationMs | undefined
}

/** Settings that would open more than their author can have meant. `origin` is the entry in question, if it is one. */
export class CorsMistake extends Error {
  readonly origin: string | undefined
  constructor(message: string, origin?: string) {
    super(message)
    this.name = 'CorsMistake'
    this.origin = origin
  }
}

type Fields = readonly (readonly [name: string, value: string])[]

/** The serialisation of RFC 6454 section 6.2: lower-case scheme and host, a port at most, nothing after it. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/

function checkOrigins({ origins, credentials }: CorsSettings): void {
  if (origins.includes('*')) {
    if (credentials) throw new CorsMistake('"*" together with credentials would let every page on the web act as its visitor – list the origins', '*')
    if (origins.length > 1) throw new CorsMistake('"*" already means every origin – list either "*" or origins', '*')
    return
  }
  for (const origin of origins) {
    // Sandboxed frames and local files of anybody call themselves `null`.
    if (origin === 'null') throw new CorsMistake('"null" is the origin of every sandboxed page – it cannot be trusted', origin)
    if (!ORIGIN.test(origin)) throw new CorsMistake(`${JSON.stringify(origin)} – expected an origin such as "https://app.example.com", in lower case and without a path`, origin)
  }
}

const listed = (name: string, values: readonly string[]): Fields => (values.length > 0 ? [[name, values.join(', ')]] : [])

/**
 * Compiles the CORS settings of a route. Origins are compared whole and exactly; what is sent back is the configured text, never
 * the request's (T59). An answer that depends on the origin says so in `Vary`, also when the origin is refused, since a cache
 * would otherwise give one origin's answer to another.
 *
 * @throws {CorsMistake} for `*` with credentials, `null`, and entries that no browser could ever send
 */
export function createCorsPolicy(settings: CorsSettings): CorsPolicy {
  checkOrigins(settings)
  const everybody = settings.origins.includes('*')
  const origins = new Map(settings.origins.map((origin) => [origin, origin]))
  const vary: Fields = everybody ? [] : [['Vary', 'Origin']]
  const credentials: Fields = settings.credentials ? [['Access-Control-Allow-Credentials', 'true']] : []
  const exposed = listed('Access-Control-Expose-Headers', settings.expose)
  const allowed: Fields = [
    ...listed('Access-Control-Allow-Methods', settings.methods),
    ...listed('Access-Control-Allow-Headers', settings.headers),
    ...(settings.max_age === undefined ? [] : [['Access-Control-Max-Age', String(Math.floor(settings.max_age / 1_000))] as const]),
  ]

  function fields(origin: string | undefined, more: Fields): Fields {
    const allow = everybody ? '*' : origin === undefined ? undefined : origins.get(origin)
    return allow === undefined ? vary : [['Access-Control-Allow-Origin', allow], ...credentials, ...more, ...vary]
  }
  return {
    fieldsFor: (origin) => fields(origin, exposed),
    preflightFor: (origin) => fields(origin, allowed),
  }
}
