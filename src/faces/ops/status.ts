/** One thing that /readyz looks at. */
export interface OpsCheck {
  /** A stable slug, also the label of `postern_degraded`. */
  readonly name: string
  readonly ok: boolean
  /** Whether another instance would do better: only then is this one not ready. */
  readonly critical: boolean
  /** Why it is not ok. Never a secret. */
  readonly detail?: string
}

/** What the ops face knows of the process: plain data, asked for at each probe. */
export interface OpsStatus {
  /** Config compiled, listeners open, every key source tried once or 2 s passed. */
  readonly started: boolean
  readonly draining: boolean
  readonly checks: readonly OpsCheck[]
}

/** The answer to one probe, in the form of the Kubernetes API server. */
export interface ProbeAnswer {
  readonly status: 200 | 503
  readonly body: string
}

export type Probe = 'livez' | 'readyz' | 'startupz'

const CHECK_STARTED = { name: 'started', critical: true } as const
const CHECK_DRAINING = { name: 'shutdown', critical: true } as const

/** The process answers, so it lives; nothing else belongs here, since a restart mends no issuer and no upstream. */
const LIVE: OpsCheck = { name: 'ping', ok: true, critical: true }

function checksOf(probe: Probe, { started, draining, checks }: OpsStatus): readonly OpsCheck[] {
  if (probe === 'livez') return [LIVE]
  const start: OpsCheck = { ...CHECK_STARTED, ok: started, ...(started ? {} : { detail: 'still starting' }) }
  if (probe === 'startupz') return [start]
  return [start, { ...CHECK_DRAINING, ok: !draining, ...(draining ? { detail: 'about to end' } : {}) }, ...checks]
}

function lineOf({ name, ok, critical, detail }: OpsCheck): string {
  if (ok) return `[+]${name} ok`
  return critical ? `[-]${name} failed: ${detail ?? 'no detail'}` : `[!]${name} degraded: ${detail ?? 'no detail'}`
}

/** `ok`, or with `verbose` (and always when it fails) a line for each check. */
export function probeAnswer(probe: Probe, status: OpsStatus, verbose: boolean): ProbeAnswer {
  const checks = checksOf(probe, status)
  const failed = checks.some(({ ok, critical }) => critical && !ok)
  if (!failed && !verbose) return { status: 200, body: 'ok' }
  return { status: failed ? 503 : 200, body: [...checks.map(lineOf), `${probe} check ${failed ? 'failed' : 'passed'}`, ''].join('\n') }
}
