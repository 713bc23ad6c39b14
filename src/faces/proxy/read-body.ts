import type { DurationMs } from '../../base/time.ts'
import { type Denial, isDenial } from '../../model/denial.ts'
import type { HeaderMap, RequestBody } from '../../model/request.ts'
import type { BodyPolicy } from '../../model/route.ts'
import { parseBody } from '../../wire/body.ts'
import { hasOtherSpelling } from '../../wire/body-spelling.ts'
import { foldedName } from '../../wire/headers.ts'
import type { ClientBody } from './client.ts'

export interface ReadBodySettings {
  readonly head: { readonly headers: HeaderMap; readonly rawHeaders: readonly string[] }
  readonly policy: BodyPolicy
  /** For the whole body, however it trickles. */
  readonly deadlineMs: DurationMs
}

const rejected = (detail: string): Denial => ({ kind: 'denial', code: 'body_rejected', detail })
const tooLarge = (maxBytes: number): Denial => ({ kind: 'denial', code: 'request_too_large', status: 413, detail: `the body is larger than ${maxBytes} bytes` })

/** `application/json` of `Application/JSON; charset=utf-8`. */
const mediaTypeOf = (contentType: string | undefined): string => (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''

/** Whether two readers could disagree about what the body is: Node keeps the first of two types, others the last, and some read `Content_Type`. */
function saysTwice(rawHeaders: readonly string[]): boolean {
  const names = rawHeaders.flatMap((name, index) => (index % 2 === 0 && /^content-(type|encoding)$/.test(foldedName(name)) ? [name.toLowerCase()] : []))
  return new Set(names).size < names.length || names.some((name) => name !== foldedName(name))
}

/** What is wrong before a byte is read. A coded body would be judged in one form and understood in another. */
function mistakeInHead({ headers, rawHeaders }: ReadBodySettings['head'], policy: BodyPolicy): Denial | undefined {
  if (saysTwice(rawHeaders)) return rejected('the type or coding of the body is said twice')
  const [coding] = headers.get('content-encoding') ?? []
  if (coding !== undefined && coding.toLowerCase() !== 'identity') return rejected('this route does not take a coded body')
  const type = mediaTypeOf(headers.get('content-type')?.[0])
  if (policy.contentTypes.length > 0 && !policy.contentTypes.includes(type)) return rejected('this route does not take that content type')
  return Number(headers.get('content-length')?.[0] ?? 0) > policy.maxBytes ? tooLarge(policy.maxBytes) : undefined
}

/** The bytes of the body, at most `maxBytes` of them within the deadline. */
function bytesOf(body: ClientBody, { policy, deadlineMs }: ReadBodySettings): Promise<Buffer | Denial> {
  const whole = body.whole()
  // Its announced length was looked at.
  if (whole) return Promise.resolve(whole)
  return new Promise((resolve) => {
    const incoming = body.stream()
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
    body.ask()
  })
}

/** Reads and parses the body of a request on a route that declares it. What is sent on later is exactly `bytes`. */
export async function readBody(body: ClientBody, settings: ReadBodySettings): Promise<RequestBody | Denial> {
  const mistake = mistakeInHead(settings.head, settings.policy)
  if (mistake) return mistake
  const bytes = await bytesOf(body, settings)
  if (isDenial(bytes)) return bytes
  const parsed = parseBody(bytes, settings.head.headers.get('content-type')?.[0])
  if (isDenial(parsed)) return parsed
  if (hasOtherSpelling(parsed.value, settings.policy.members ?? [])) return rejected('a member of the body is another spelling of one that is judged')
  return { bytes, value: parsed.value }
}
