import type { CaseResult } from './run-table.ts'

/** Which routes of one config its tables reached. */
export interface Coverage {
  readonly config: string
  readonly routes: readonly string[]
  readonly missed: readonly string[]
}

/** A config, its routes, and what became of the cases of one of its tables. */
export interface Covered {
  readonly config: string
  readonly routes: readonly string[]
  readonly results: readonly CaseResult[]
}

/** Per config, over all its tables. A route is reached by every request that it governs, whatever becomes of it. */
export function coverageOf(tables: readonly Covered[]): readonly Coverage[] {
  return [...Map.groupBy(tables, ({ config }) => config)].map(([config, group]) => {
    const reached = new Set(group.flatMap(({ results }) => results.map(({ explanation }) => explanation?.decision.route?.id)))
    const routes = [...new Set(group.flatMap((table) => table.routes))]
    return { config, routes, missed: routes.filter((route) => !reached.has(route)) }
  })
}

/** Whole per cent, rounded down, so that 100 means all. */
export const percentOf = ({ routes, missed }: Pick<Coverage, 'routes' | 'missed'>): number => (routes.length === 0 ? 100 : Math.floor((100 * (routes.length - missed.length)) / routes.length))
