import { createMemoryLimiter } from '../limiters/memory.ts'
import type { Limiter } from '../model/ports.ts'
import type { Charge, ServiceLimit } from '../model/quota.ts'

/** What a charge would leave of what a cost of 0 has seen. */
function after({ cost }: Charge, limit: ServiceLimit): ServiceLimit {
  const exceeded = limit.exceeded || limit.remaining < cost
  return { ...limit, exceeded, remaining: exceeded ? limit.remaining : limit.remaining - cost }
}

/** Counts nothing: says what is there, in a limiter that is in use or else in an empty one, and what the charge would leave. */
export function lookingLimiter(inUse?: Limiter): Limiter {
  if (inUse) return { consume: async (charges, now) => (await inUse.consume(charges.map((charge) => ({ ...charge, cost: 0 })), now)).map((limit, index) => after(charges[index] ?? { ...limit, partition: '', cost: 0 }, limit)) }
  const limiter = createMemoryLimiter()
  return { consume: limiter.look }
}
