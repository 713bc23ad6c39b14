import type { Config } from '../config/schema.ts'
import type { Denial } from '../model/denial.ts'
import type { Observer } from '../model/event.ts'
import type { Gateway } from '../model/gateway.ts'
import { createAuditLog, NO_AUDIT } from '../observe/audit-log.ts'
import { createLineWriter, type LineTarget, type LineWriter } from '../observe/line-writer.ts'
import { createLog, type Log } from '../observe/log.ts'
import { createMetrics, type Metrics } from '../observe/metrics.ts'
import { createObserver } from '../observe/observer.ts'
import { PROBLEMS } from '../wire/problems.ts'
import { replyOf } from '../wire/reply.ts'
import { OperatorError } from './exit-codes.ts'
import { REVISION, VERSION } from './version.ts'

/** Everything that watches one process. */
export interface Watching {
  readonly metrics: Metrics
  readonly log: Log
  readonly observer: Observer
  /** Lines may share a write from now on. */
  readonly settle: () => void
  /** Writes at once what is still held. */
  readonly flush: () => void
  readonly close: () => Promise<void>
}

export interface WatchingOptions {
  readonly config: Pick<Config, 'log' | 'audit'>
  /** Undefined before the first config was compiled. */
  readonly gateway: () => Gateway | undefined
  readonly color: boolean
}

/** Status of a refusal as the config answers it. */
function statusOf(denial: Denial, gateway: Gateway | undefined): number {
  const usual = denial.code === 'request_too_large' ? denial.status : PROBLEMS[denial.code].status
  if (!gateway) return usual
  const { overrides, byAuthenticator } = gateway.wire.errors
  // Rendering the whole answer costs; without templates of their own the table knows as well.
  if (overrides.size === 0 && byAuthenticator.size === 0) return usual
  return replyOf(denial, { wire: gateway.wire, requestId: '', now: 0, limits: [] }).status
}

function auditTarget(audit: string): LineTarget | undefined {
  if (audit === 'off') return undefined
  return audit === 'stdout' || audit === 'stderr' ? audit : { file: audit }
}

function openTarget(target: LineTarget, dropped: (lines: number) => void): LineWriter {
  try {
    return createLineWriter(target, dropped)
  } catch (error) {
    throw new OperatorError(`audit: ${typeof target === 'string' ? target : target.file} cannot be written: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/**
 * Metrics, log and audit log of a config. Log and audit on stdout share one writer, so that lines never mix.
 *
 * @throws {OperatorError} when the audit file cannot be opened
 */
export function startWatching({ config, gateway, color }: WatchingOptions): Watching {
  const metrics = createMetrics({ version: VERSION, revision: REVISION })
  const dropped = (): void => metrics.failedOpen('audit_dropped')
  const stdout = createLineWriter('stdout', dropped)
  const target = auditTarget(config.audit)
  const auditWriter = target === undefined || target === 'stdout' ? stdout : openTarget(target, dropped)
  const format = config.log.format === 'auto' ? (process.stdout.isTTY ? 'pretty' : 'json') : config.log.format
  const log = createLog({ format, level: config.log.level, writer: stdout, version: VERSION, color: color && process.stdout.isTTY === true })
  const audit = target === undefined ? NO_AUDIT : createAuditLog({ writer: auditWriter, version: VERSION, statusOf: (denial) => statusOf(denial, gateway()) })
  const writers = new Set([stdout, auditWriter])
  return {
    metrics,
    log,
    observer: createObserver({ metrics, log, audit }),
    settle: () => writers.forEach((writer) => writer.settle()),
    flush: () => writers.forEach((writer) => writer.flush()),
    close: async () => {
      metrics.close()
      await Promise.all([...writers].map((writer) => writer.close()))
    },
  }
}
