import { isDenial } from '../model/denial.ts'
import { targetOf } from '../wire/target.ts'
import { suggestion } from './did-you-mean.ts'
import type { Finding } from './finding.ts'
import type { Config } from './schema.ts'

const PARAMETER = /^\{[A-Za-z_][A-Za-z0-9_]*\}$/

/** Why a pattern can match nothing, or not what it seems to; undefined when it is fine. */
export function patternMistake(pattern: string): string | undefined {
  if (!pattern.startsWith('/')) return `expected a path that starts with a slash, such as "/${pattern}"`
  if (/[?#]/.test(pattern)) return 'expected a path alone; conditions on the query have a key of their own, "query"'
  const segments = pattern.slice(1).split('/')
  const names = segments.filter((segment) => PARAMETER.test(segment))
  if (segments.slice(0, -1).includes('**')) return '"**" stands for the rest of the path and can only be the last segment'
  if (new Set(names).size < names.length) return 'a parameter stands twice'
  const odd = segments.find((segment) => /[*{}]/.test(segment) && !['*', '**'].includes(segment) && !PARAMETER.test(segment))
  if (odd !== undefined) return `a wildcard is a whole segment, {name}, * or, at the end, **, and not "${odd}"`
  // What the target rules refuse never reaches the routes, so a pattern of it would be dead.
  const probe = `/${segments.map((segment) => (/^[*{]/.test(segment) ? 'x' : segment)).join('/')}`
  const target = targetOf({ rawTarget: probe, host: 'localhost', scheme: 'http', method: 'GET' })
  return isDenial(target) ? `no request can have this path: ${'detail' in target ? target.detail : target.code} is refused` : undefined
}

const METHOD = /^[A-Z][A-Z-]*$/

/** Methods that somebody uses: of RFC 9110, WebDAV and its relatives, and of caches. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'QUERY', 'SEARCH', 'REPORT', 'PURGE', 'PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'UNLOCK', 'ACL', 'BIND', 'UNBIND', 'LINK', 'UNLINK', 'CHECKOUT', 'MERGE', 'MKACTIVITY', 'MKCALENDAR', 'SUBSCRIBE', 'UNSUBSCRIBE', 'NOTIFY', 'SOURCE']

const letters = (word: string): string => [...word].toSorted().join('')

/** Two letters that changed places are the commonest slip in a word of three. */
function methodMeant(method: string): string {
  const swapped = METHODS.find((known) => letters(known) === letters(method))
  return swapped === undefined ? suggestion(method, METHODS) : ` Did you mean "${swapped}"?`
}

function methodWarning(method: string, path: Finding['path']): Finding[] {
  if (!METHOD.test(method) || METHODS.includes(method)) return []
  return [{ path, message: `"${method}" is no method that clients usually send.${methodMeant(method)}` }]
}

/** Methods that are spelled like one and are none: a route of them is never asked for. */
export function methodWarnings(config: Config): readonly Finding[] {
  const ofRoutes = (config.routes ?? []).flatMap(({ match }, index) => (match.methods ?? []).flatMap((method, nth) => methodWarning(method, ['routes', index, 'match', 'methods', nth])))
  return [...ofRoutes, ...config.public.flatMap((entry, index) => methodWarning(entry.split(' ', 1)[0] ?? '', ['public', index]))]
}

function hostMistake(host: string): string | undefined {
  if (/:\d+$/.test(host)) return 'expected a host name without a port'
  return /^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host) || /^\[[0-9a-fA-F:.]+\]$/.test(host) ? undefined : 'expected a name such as "api.example.com", or "*.example.com"'
}

const shown = (value: string, mistake: string): string => `${JSON.stringify(value)} – ${mistake}`

/** Patterns of routes and of `public`. */
export function checkPaths(config: Config): readonly Finding[] {
  const routes = (config.routes ?? []).flatMap(({ match }, index): Finding[] => {
    const at = ['routes', index, 'match']
    const single = match.path.length === 1
    return [
      ...match.path.flatMap((pattern, nth): Finding[] => faults(patternMistake(pattern), pattern, [...at, 'path', ...(single ? [] : [nth])])),
      ...(match.methods ?? []).flatMap((method, nth): Finding[] => faults(METHOD.test(method) ? undefined : 'expected a method in upper case, such as "GET"', method, [...at, 'methods', nth])),
      ...(match.host ?? []).flatMap((host, nth): Finding[] => faults(hostMistake(host), host, [...at, 'host', nth])),
    ]
  })
  const open = config.public.flatMap((entry, index): Finding[] => faults(publicMistake(entry), entry, ['public', index]))
  return [...routes, ...open]
}

const faults = (mistake: string | undefined, value: string, path: Finding['path']): Finding[] => (mistake === undefined ? [] : [{ path, message: shown(value, mistake) }])

function publicMistake(entry: string): string | undefined {
  const [method = '', pattern, ...more] = entry.split(' ')
  if (pattern === undefined || more.length > 0 || !METHOD.test(method)) return 'expected a method and a path, such as "GET /healthz"'
  return patternMistake(pattern)
}
