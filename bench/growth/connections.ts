import { getRequest, run } from '../load.ts'
import { JWT, startPostern } from '../postern.ts'
import { cpuMs } from '../processes.ts'
import { bearer, type Setting } from '../target.ts'
import type { Dimension } from './dimension.ts'

const REQUESTS = 4_000
const WARMUP = 8_000

/** So many connections that are all in use, with at most 32 requests on their way: more would wait for the upstream, and some be shed. */
export const connections = (setting: Setting): Dimension => ({
  name: 'connections in use',
  unit: 'CPU µs/request',
  sizes: [1, 100, 2_000],
  prepare: async (size) => {
    const server = await startPostern(setting, { auth: JWT(setting.issued.jwks) })
    const bytes = getRequest('/api/orders/1', [bearer(setting.issued.token)])
    const load = { port: server.port, bytes: () => bytes, connections: size, atOnce: 32, status: 200 }
    await run({ ...load, connections: 32, requests: WARMUP })
    return {
      cost: async () => {
        const before = cpuMs(...server.pids)
        await run({ ...load, requests: REQUESTS })
        return ((cpuMs(...server.pids) - before) * 1_000) / REQUESTS
      },
      close: server.stop,
    }
  },
})
