import type { Route } from '../model/route.ts'

/** Query parameters that must stand exactly once with one of the values. They narrow a route, they never open one. */
export type QueryConstraint = ReadonlyMap<string, ReadonlySet<string>>

/** One pattern of one route. */
export interface RouteEntry {
  /** Starts with `/`; literal segments, `{param}` or `*` for one segment, `**` (last only) for the rest, none included. */
  readonly pattern: string
  /** Upper-case; undefined means every method. */
  readonly methods?: ReadonlySet<string>
  /** Exact lower-case host name without port, or `*.example.com`; undefined means every host. */
  readonly host?: string
  readonly query?: QueryConstraint
  readonly route: Route
}

/** Two entries that could both govern a request, with nothing that says which. */
export interface RouteConflict {
  readonly first: RouteEntry
  readonly second: RouteEntry
}

/** A segment tree: the cost of a look-up depends on the path, not on how many routes there are. */
export interface RouteNode {
  readonly literals: Map<string, RouteNode>
  wild?: RouteNode
  /** Entries that end exactly here, the most constrained first. */
  readonly ends: RouteEntry[]
  /** Entries whose `**` begins here. */
  readonly deep: RouteEntry[]
}

/** Compiled routes: by exact host, by host suffix, and for every host. A more exact host wins over a more exact path. */
export interface RouteTable {
  readonly exact: ReadonlyMap<string, RouteNode>
  /** By suffix: `.example.com` matches any name below it. */
  readonly suffixes: ReadonlyMap<string, RouteNode>
  readonly every: RouteNode
}

const emptyNode = (): RouteNode => ({ literals: new Map(), ends: [], deep: [] })

const isWild = (segment: string): boolean => segment === '*' || (segment.startsWith('{') && segment.endsWith('}'))

/** How constrained an entry is among those of one pattern: query before none, methods before any. */
const weightOf = (entry: RouteEntry): number => (entry.query ? 2 : 0) + (entry.methods ? 1 : 0)

function insert(tree: RouteNode, entry: RouteEntry): RouteEntry[] {
  const segments = entry.pattern.slice(1).split('/')
  let node = tree
  for (const segment of segments) {
    if (segment === '**') return node.deep
    const next = isWild(segment) ? (node.wild ?? emptyNode()) : (node.literals.get(segment) ?? emptyNode())
    if (isWild(segment)) node.wild = next
    else node.literals.set(segment, next)
    node = next
  }
  return node.ends
}

const overlap = (a: ReadonlySet<string> | undefined, b: ReadonlySet<string> | undefined): boolean => !a || !b || !a.isDisjointFrom(b)

/** Whether one request could satisfy both, without one being the narrower kind. */
function conflicting(a: RouteEntry, b: RouteEntry): boolean {
  if (weightOf(a) !== weightOf(b) || !overlap(a.methods, b.methods)) return false
  for (const [name, values] of a.query ?? []) {
    if (b.query?.has(name) && !overlap(values, b.query.get(name))) return false
  }
  return true
}

/** Builds the table and names every pair of entries between which precedence would be a guess. */
export function createRouteTable(entries: readonly RouteEntry[]): { readonly table: RouteTable; readonly conflicts: readonly RouteConflict[] } {
  const every = emptyNode()
  const exact = new Map<string, RouteNode>()
  const suffixes = new Map<string, RouteNode>()
  const conflicts: RouteConflict[] = []

  const treeOf = (host: string | undefined): RouteNode => {
    if (host === undefined) return every
    const [trees, key] = host.startsWith('*.') ? [suffixes, host.slice(1)] : [exact, host]
    const tree = trees.get(key) ?? emptyNode()
    trees.set(key, tree)
    return tree
  }

  for (const entry of entries) {
    const place = insert(treeOf(entry.host), entry)
    for (const other of place) if (conflicting(other, entry)) conflicts.push({ first: other, second: entry })
    place.push(entry)
    place.sort((a, b) => weightOf(b) - weightOf(a))
  }
  return { table: { every, exact, suffixes }, conflicts }
}
