import type { IncomingMessage } from 'node:http'
import type { DurationMs } from '../../base/time.ts'
import { type Denial, isDenial } from '../../model/denial.ts'
import type { RequestBody } from '../../model/request.ts'
import type { BodyPolicy } from '../../model/route.ts'
import { parseBody } from '../../wire/body.ts'

export interface ReadBodySettings {
  readonly policy: BodyPolicy
  /** For the whole body, however it trickles. */
  readonly deadlineMs: DurationMs
  /** The moment for `100 Continue`. */
  readonly onWanted: () => void
}

const rejected = (detail: string): Denial => ({ kind: 'denial', code: 'body_rejected', detail })
const tooLarge = (maxBytes: number): Denial => ({ kind: 'denial', code: 'request_too_large', status: 413, detail: `the body is larger than ${maxBytes} bytes` })

/** `application/json` of `Application/JSON; charset=utf-8`. */
const mediaTypeOf = (contentType: string | undefined): string => (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''

/** What is wrong before a byte is read. A coded body would be judged in one form and understood in another. */
function mistakeInHead({ headers }: IncomingMessage, policy: BodyPolicy): Denial | undefined {
  const coding = headers['content-encoding']
  if (coding !== undefined && coding.toLowerCase() !== 'identity') return rejected('this route does not take a coded body')
  const type = mediaTypeOf(headers['content-type'])
  if (policy.contentTypes.length > 0 && !policy.contentTypes.includes(type)) return rejected('this route does not take that content type')
  return Number(headers['content-length'] ?? 0) > policy.maxBytes ? tooLarge(policy.maxBytes) : undefined
}

/** The bytes of the body, at most `maxBytes` of them within the deadline. */
function bytesOf(incoming: IncomingMessage, { policy, deadlineMs, onWanted }: ReadBodySettings): Promise<Buffer | Denial> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const settle = (outcome: Buffer | Denial): void => {
      clearTimeout(timer)
      incoming.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
      if (isDenial(outcome)) incoming.pause()
      resolve(outcome)
    }
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length
      if (bytes > policy.maxBytes) settle(tooLarge(policy.maxBytes))
      else chunks.push(chunk)
    }
    const onEnd = (): void => settle(Buffer.concat(chunks))
    const onClose = (): void => settle(rejected('the body did not arrive'))
    const timer = setTimeout(() => settle(rejected('the body did not arrive in time')), deadlineMs)
    incoming.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
    onWanted()
  })
}

/** Reads and parses the body of a request on a route that declares it. What is sent on later is exactly `bytes`. */
export async function readBody(incoming: IncomingMessage, settings: ReadBodySettings): Promise<RequestBody | Denial> {
  const mistake = mistakeInHead(incoming, settings.policy)
  if (mistake) return mistake
  const bytes = await bytesOf(incoming, settings)
  if (isDenial(bytes)) return bytes
  const parsed = parseBody(bytes, incoming.headers['content-type'])
  return isDenial(parsed) ? parsed : { bytes, value: parsed.value }
}
