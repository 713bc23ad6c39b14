import type { Metrics } from '../../observe/metrics.ts'
import type { PeerCensus } from '../../observe/peer-census.ts'
import { probeAnswer, type OpsStatus, type Probe } from './status.ts'

export interface OpsAppOptions {
  readonly status: () => OpsStatus
  readonly metrics: Pick<Metrics, 'expose'>
  /** Who speaks for clients, for `postern doctor`. */
  readonly peers?: PeerCensus['seen']
}

/** An answer as it is written. */
export interface OpsAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

/** What was asked for, after the path. */
export interface OpsQuestion { readonly verbose: boolean; readonly accept: string | undefined }

const TEXT = 'text/plain; charset=UTF-8'

/**
 * Probes and metrics, by path; compared with the bytes that were sent. Reads only; holds no secret, so it needs no credential. A table
 * and no framework: an adapter to `Request` and `Response` loads Node's own undici, which is 15 MiB in every idle process.
 */
export function createOpsApp({ status, metrics, peers }: OpsAppOptions): ReadonlyMap<string, (question: OpsQuestion) => Promise<OpsAnswer>> {
  const probe = (name: Probe) => async ({ verbose }: OpsQuestion): Promise<OpsAnswer> => ({ contentType: TEXT, ...probeAnswer(name, status(), verbose) })
  return new Map([
    ['/livez', probe('livez')],
    ['/readyz', probe('readyz')],
    ['/startupz', probe('startupz')],
    ...(peers ? [['/peers', async (): Promise<OpsAnswer> => ({ status: 200, contentType: 'application/json', body: JSON.stringify(peers()) })] as const] : []),
    ['/metrics', async ({ accept }: OpsQuestion): Promise<OpsAnswer> => ({ status: 200, ...(await metrics.expose(accept)) })],
  ])
}
