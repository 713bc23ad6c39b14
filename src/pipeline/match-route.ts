import { passesFor } from '../base/name-spelling.ts'
import type { Denial } from '../model/denial.ts'
import type { RequestDescription } from '../model/request.ts'
import type { Route } from '../model/route.ts'
import type { QueryConstraint, RouteEntry, RouteNode, RouteTable } from './route-table.ts'

const NOT_FOUND: Denial = { kind: 'denial', code: 'route_not_found' }
const FORBIDDEN: Denial = { kind: 'denial', code: 'forbidden', rule: 'route' }

/** Not "no such route": the next one might let in what this one refuses, and the upstream reads the query in its own way. */
const UNREADABLE = { kind: 'denial', code: 'request_ambiguous', part: 'target', detail: 'a parameter that a route looks at, twice or in another spelling' } as const satisfies Denial

/**
 * Decoded values of one parameter; undefined when the upstream may read other ones. Names are decoded before they are compared, since
 * `grant%5Ftype` is `grant_type` to it. A `;`, which some parsers take for `&`, makes the query unreadable, and so does a name that some
 * of them take for this one: ASP.NET `Grant_Type`, PHP `grant.type`, Rails and PHP `grant_type[]`.
 */
export function queryValues(query: string, name: string): readonly string[] | undefined {
  if (query.includes(';')) return undefined
  const parameters = new URLSearchParams(query)
  for (const each of parameters.keys()) if (passesFor(each, name)) return undefined
  return parameters.getAll(name)
}

/** Whether each parameter stands there once with an allowed value; `unreadable` when two readers could find different ones. */
function queryFits(query: string, constraint: QueryConstraint): boolean | 'unreadable' {
  let fits = true
  for (const [name, allowed] of constraint) {
    const values = queryValues(query, name)
    if (!values || values.length > 1) return 'unreadable'
    fits &&= values.length === 1 && allowed.has(values[0] ?? '')
  }
  return fits
}

interface Wanted { readonly method: string; readonly path: string; readonly query: string }

type Found = Route | typeof UNREADABLE | undefined

function fitting(entries: readonly RouteEntry[], wanted: Wanted): Found {
  for (const { methods, query, route } of entries) {
    if (methods && !methods.has(wanted.method)) continue
    const fits = query ? queryFits(wanted.query, query) : true
    if (fits === 'unreadable') return UNREADABLE
    if (fits) return route
  }
  return undefined
}

/** Literal before wildcard before `**`, backtracking; `start` is the index behind the last slash, or -1 past the end. */
function search(node: RouteNode, start: number, wanted: Wanted): Found {
  if (start === -1) return fitting(node.ends, wanted) ?? fitting(node.deep, wanted)
  const slash = wanted.path.indexOf('/', start)
  const segment = slash === -1 ? wanted.path.slice(start) : wanted.path.slice(start, slash)
  const next = slash === -1 ? -1 : slash + 1
  const literal = node.literals.get(segment)
  return (
    (literal && search(literal, next, wanted)) ??
    (node.wild && segment !== '' ? search(node.wild, next, wanted) : undefined) ??
    fitting(node.deep, wanted)
  )
}

function hostNameOf(host: string): string {
  const colon = host.lastIndexOf(':')
  return colon === -1 || host.endsWith(']') ? host : host.slice(0, colon)
}

function find(table: RouteTable, host: string, wanted: Wanted): Found {
  if (table.exact.size > 0 || table.suffixes.size > 0) {
    const name = hostNameOf(host)
    const exact = table.exact.get(name)
    const found = exact && search(exact, 1, wanted)
    if (found) return found
    // The longest suffix first. A host has few dots, whereas there may be thousands of suffixes.
    for (let dot = name.indexOf('.', 1); dot !== -1; dot = name.indexOf('.', dot + 1)) {
      const tree = table.suffixes.get(name.slice(dot))
      const below = tree && search(tree, 1, wanted)
      if (below) return below
    }
  }
  return search(table.every, 1, wanted)
}

/** The route that governs, or why none lets the request in; a route that exists to refuse is named all the same. */
export type Governed = { readonly route: Route; readonly denial?: undefined } | { readonly denial: Denial; readonly route?: Route }

/**
 * Which route governs. Paths are compared byte for byte and case-sensitively; nothing is decoded or folded. Unmatched
 * means denied.
 *
 * @param method the method to match by; a preflight asks for the method it announces
 */
export function matchRoute(table: RouteTable, request: RequestDescription, method: string = request.method): Governed {
  const route = find(table, request.target.host, { method, path: request.target.path, query: request.target.query })
  if (!route) return { denial: NOT_FOUND }
  if ('kind' in route) return { denial: route }
  return route.deny ? { denial: route.deny === 'forbidden' ? FORBIDDEN : NOT_FOUND, route } : { route }
}
