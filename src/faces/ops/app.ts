import { Hono } from 'hono/tiny'
import type { Metrics } from '../../observe/metrics.ts'
import { probeAnswer, type OpsStatus, type Probe } from './status.ts'

export interface OpsAppOptions {
  readonly status: () => OpsStatus
  readonly metrics: Pick<Metrics, 'expose'>
}

const PROBES: readonly Probe[] = ['livez', 'readyz', 'startupz']

/** Every path there is; compared with the bytes that were sent. */
export const OPS_PATHS: ReadonlySet<string> = new Set([...PROBES.map((probe) => `/${probe}`), '/metrics'])

/** Probes and metrics. Reads only; holds no secret, so it needs no credential. */
export function createOpsApp({ status, metrics }: OpsAppOptions): Hono {
  const app = new Hono()
  for (const probe of PROBES) {
    app.get(`/${probe}`, (context) => {
      const answer = probeAnswer(probe, status(), context.req.query('verbose') !== undefined)
      return context.text(answer.body, answer.status, { 'cache-control': 'no-store' })
    })
  }
  app.get('/metrics', async (context) => {
    const { contentType, body } = await metrics.expose(context.req.header('accept'))
    return context.body(body, 200, { 'content-type': contentType, 'cache-control': 'no-store' })
  })
  return app
}
