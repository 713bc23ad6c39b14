import { startUpstream } from '../endurance-upstream.ts'
import { JWT, startPostern } from '../postern.ts'
import { cpuMs, rssMiB, type Server } from '../processes.ts'
import type { Setting } from '../target.ts'
import { download, upload } from '../transfer.ts'
import type { Dimension } from './dimension.ts'

const KB = 1_000
const MB = 1_000_000
/** Bytes of one measurement, in as many bodies as that takes. */
const BYTES = 100 * MB
const MOST_BODIES = 1_000

const written = (size: number): string => (size < MB ? `${size / KB} KB` : `${size / MB} MB`)

type Move = (port: number, token: string, bytes: number) => Promise<number>

/** Moves bodies of one size, one after the other. */
async function move(how: Move, server: Server, token: string, size: number): Promise<number> {
  const count = Math.min(MOST_BODIES, Math.max(1, BYTES / size))
  for (let n = 0; n < count; n += 1) if ((await how(server.port, token, size)) !== size) throw new Error('a body did not arrive whole')
  return count
}

/** The most memory that it had meanwhile, MiB. */
async function peakDuring(server: Server, work: () => Promise<unknown>): Promise<number> {
  let peak = 0
  const look = (): void => void (peak = Math.max(peak, rssMiB(...server.pids)))
  const timer = setInterval(look, 20)
  await work().finally(() => clearInterval(timer))
  look()
  return peak
}

/** Bodies in both directions: what a byte costs, and what memory they take while they pass. */
export async function bodies(setting: Setting): Promise<{ readonly dimensions: readonly Dimension[]; readonly close: () => void }> {
  const upstream = await startUpstream()
  const { token, jwks } = setting.issued
  const starting = () => startPostern({ ...setting, upstreamPort: upstream.port }, { auth: JWT(jwks) })
  const cpu = (what: string, how: Move): Dimension => ({
    name: `bodies ${what}`, unit: 'CPU ms/MB', sizes: [KB, MB, 100 * MB], written,
    prepare: async (size) => {
      const server = await starting()
      return {
        cost: async () => {
          const before = cpuMs(...server.pids)
          const count = await move(how, server, token, size)
          return (cpuMs(...server.pids) - before) / ((count * size) / MB)
        },
        close: server.stop,
      }
    },
  })
  const memory = (what: string, how: Move): Dimension => ({
    name: `bodies ${what}, memory`, unit: 'peak RSS, MiB', sizes: [KB, MB, 100 * MB], written,
    prepare: async (size) => {
      const server = await starting()
      return { cost: () => peakDuring(server, () => move(how, server, token, size)), close: server.stop }
    },
  })
  return { dimensions: [cpu('up', upload), cpu('down', download), memory('up', upload), memory('down', download)], close: upstream.close }
}
