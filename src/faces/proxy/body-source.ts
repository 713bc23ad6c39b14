import { Readable } from 'node:stream'
import type { DurationMs } from '../../base/time.ts'
import { passedOn } from './bulk.ts'
import type { BodyStream } from './client.ts'

/** Why a request body could not be passed on. */
export type BodyTrouble = 'too_large' | 'idle' | 'gone'

export interface BodySourceSettings {
  readonly maxBytes: number
  /** Longest pause while we are ready to read. */
  readonly idleMs: DurationMs
  /** Called once, before the first byte is asked for: the moment for `100 Continue`. */
  readonly onWanted: () => void
  /** Called at most once; nothing is pushed afterwards, so the upstream never sees an end. */
  readonly onTrouble: (trouble: BodyTrouble) => void
}

/**
 * The body of a request as a stream of its own, with backpressure. Apart from the message, so that whoever destroys it (undici does,
 * when the upstream answers early) leaves the client's connection alone. Counts while it streams (T53); trailers stay behind (T5).
 */
export function createBodySource(incoming: BodyStream, settings: BodySourceSettings): Readable {
  let bytes = 0
  let wanted = false
  let idle: NodeJS.Timeout | undefined

  const rest = (): void => {
    clearTimeout(idle)
    idle = undefined
  }
  const stop = (): void => {
    rest()
    incoming.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
  }
  const trouble = (kind: BodyTrouble): void => {
    stop()
    incoming.pause()
    settings.onTrouble(kind)
  }
  const wait = (): void => {
    idle = idle?.refresh() ?? setTimeout(trouble, settings.idleMs, 'idle')
  }
  function onData(chunk: Buffer): void {
    bytes += chunk.length
    passedOn(chunk.length)
    if (bytes > settings.maxBytes) return trouble('too_large')
    if (source.push(chunk)) return
    rest()
    incoming.pause()
  }
  function onEnd(): void {
    stop()
    source.push(null)
  }
  function onClose(): void {
    if (!incoming.complete) trouble('gone')
  }

  const source = new Readable({
    highWaterMark: 64 * 1_024,
    read: () => {
      if (!wanted) {
        wanted = true
        settings.onWanted()
        incoming.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
      }
      wait()
      incoming.resume()
    },
    destroy: (error, done) => {
      stop()
      incoming.pause()
      done(error)
    },
  })
  // Destroying the source is how an exchange ends, not an error anybody has to handle.
  source.on('error', () => undefined)
  return source
}
