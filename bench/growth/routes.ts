import { createDecisionPoint } from '../../src/pipeline/decide.ts'
import { createRouteTable, type RouteEntry } from '../../src/pipeline/route-table.ts'
import { createMemoryLimiter } from '../../src/limiters/memory.ts'
import { request, route } from '../../test/support/described.ts'
import { allowed, compiled } from './gateway.ts'
import { cpuPer, type Dimension } from './dimension.ts'

const SIZES = [10, 1_000, 10_000]
const DECISIONS = 20_000
/** Different requests at every size, so that sizes differ in nothing else. */
const ASKED = 10

/** Routes that are told apart by one thing. */
const dimension = (what: string, entry: (n: number) => Omit<RouteEntry, 'route'>, asked: (n: number) => { readonly path: string; readonly host?: string }): Dimension => ({
  name: `routes by ${what}`,
  unit: 'CPU µs/decision',
  sizes: SIZES,
  prepare: (size) => {
    const { table } = createRouteTable(Array.from({ length: size }, (_, n) => ({ ...entry(n), route: route({ id: `r${n}` }) })))
    const point = createDecisionPoint({ routes: table, limiter: createMemoryLimiter(), clock: Date.now })
    const requests = Array.from({ length: ASKED }, (_, n) => request(asked(Math.floor((n * size) / ASKED))))
    return { cost: () => cpuPer(DECISIONS, (n) => allowed(point, requests[n % ASKED]!)) }
  },
})

/** Reading, checking and compiling a file, by route. A file holds at most 50,000 values, which is how many routes there can be. */
const loading: Dimension = {
  name: 'routes while a config is loaded',
  unit: 'CPU µs/route',
  sizes: [100, 1_000, 5_000],
  prepare: (size) => {
    const text = `version: 1
upstream: http://127.0.0.1:2
client_ip: {direct: true}
routes:
${Array.from({ length: size }, (_, n) => `  - {match: {path: /api/things${n}/**, methods: [GET, POST]}, auth: none}\n`).join('')}`
    return {
      cost: async () => {
        const before = process.cpuUsage()
        const { close } = await compiled(text)
        const { user, system } = process.cpuUsage(before)
        await close()
        return (user + system) / size
      },
    }
  },
}

export const routes: readonly Dimension[] = [
  dimension('path', (n) => ({ pattern: `/api/things${n}/**` }), (n) => ({ path: `/api/things${n}/7/parts` })),
  dimension('path behind a parameter', (n) => ({ pattern: `/api/{id}/things${n}` }), (n) => ({ path: `/api/4711/things${n}` })),
  dimension('host', (n) => ({ pattern: '/**', host: `h${n}.example.com` }), (n) => ({ path: '/x', host: `h${n}.example.com` })),
  dimension('the end of a host', (n) => ({ pattern: '/**', host: `*.h${n}.example.com` }), (n) => ({ path: '/x', host: `a.h${n}.example.com` })),
  loading,
]
