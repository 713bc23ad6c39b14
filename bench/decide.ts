import { createMemoryLimiter } from '../src/limiters/memory.ts'
import { createDecisionPoint } from '../src/pipeline/decide.ts'
import { createRouteTable } from '../src/pipeline/route-table.ts'
import { policy, request, route, use } from '../test/support/described.ts'

/** Microseconds per decision of the pipe alone: one authenticator that answers at once, two quotas, one mutator. */
export async function decideBench(rounds = 5, count = 200_000): Promise<number> {
  const quotas = [policy({ id: 'minute', quota: 1e9 }), policy({ id: 'hour', quota: 1e9, windowMs: 3_600_000 })].map((one) => ({ policy: one, cost: 1, partitionOf: () => 'p' }))
  const guarded = route({
    authentication: { mode: 'any', uses: [use()] },
    principalQuotas: () => quotas,
    mutators: [(_request, { primary }) => ({ remove: ['authorization'], removeCookies: [], set: primary.kind === 'identified' ? [['X-User-Id', primary.subject]] : [] })],
  })
  const point = createDecisionPoint({ routes: createRouteTable([{ pattern: '/api/**', route: guarded }]).table, limiter: createMemoryLimiter(), clock: Date.now })
  const described = request({ path: '/api/orders/1' })
  const results: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage()
    for (let n = 0; n < count; n += 1) {
      const matched = point.match(described)
      if ('outcome' in matched) throw new Error('the benchmark is refused')
      const decision = await point.decide(described, matched)
      if (decision.outcome !== 'allow') throw new Error('the benchmark is refused')
    }
    const { user, system } = process.cpuUsage(before)
    results.push((user + system) / count)
  }
  return results.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? Number.NaN
}
