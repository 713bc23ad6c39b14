import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import { DeadlineExceeded, withDeadline } from '../base/deadline.ts'
import type { DurationMs } from '../base/time.ts'

/** A call of our own to an issuer or another authority. */
export interface SideCall {
  /** Absolute http or https URL. */
  readonly url: string
  readonly method?: 'GET' | 'POST'
  /** Sent beside ours; `accept-encoding` cannot be overridden. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** For the whole exchange, the last byte of the body included. */
  readonly timeoutMs: DurationMs
  /** Longest body that is read. */
  readonly maxBytes: number
}

export interface SideAnswer {
  readonly kind: 'answer'
  readonly status: number
  /** Lower-case names; repeated fields joined with a comma. */
  readonly headers: ReadonlyMap<string, string>
  readonly text: string
  /** The parsed body; undefined when it is not JSON. Whether it should have been is the caller's to judge. */
  readonly json: unknown
}

export interface SideFailure {
  readonly kind: 'timeout' | 'network' | 'too_large' | 'encoded' | 'redirect'
  /** For the log: never holds a header or a body. */
  readonly detail: string
}

/** What an authenticator is given to make its calls with. */
export type FetchJson = (call: SideCall) => Promise<SideAnswer | SideFailure>

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function headersOf(response: IncomingMessage): ReadonlyMap<string, string> {
  return new Map(Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]))
}

/** The body up to `maxBytes`, counted as it comes; a length that was announced too large is not even begun. */
async function bodyOf(response: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) return undefined
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response) {
    // A stream without an encoding yields buffers.
    const bytes = chunk as Buffer
    length += bytes.length
    if (length > maxBytes) return undefined
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function answerOf(response: IncomingMessage, maxBytes: number): Promise<SideAnswer | SideFailure> {
  const status = response.statusCode ?? 0
  if (status >= 300 && status < 400) return { kind: 'redirect', detail: `answered ${status}; redirects are not followed` }
  const encoding = response.headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return { kind: 'encoded', detail: 'answered with a compressed body, which was not asked for' }
  const text = await bodyOf(response, maxBytes)
  if (text === undefined) return { kind: 'too_large', detail: `answered with more than ${maxBytes} bytes` }
  return { kind: 'answer', status, headers: headersOf(response), text, json: jsonOf(text) }
}

function respondedTo(call: SideCall, signal: AbortSignal): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const send = call.url.startsWith('https:') ? requestHttps : requestHttp
  const request = send(call.url, {
    method: call.method ?? 'GET',
    signal,
    headers: {
      accept: 'application/json',
      'user-agent': 'postern',
      ...call.headers,
      ...(call.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(call.body)) }),
      'accept-encoding': 'identity',
    },
  })
  request.once('response', resolve)
  request.on('error', reject)
  request.end(call.body)
  return promise
}

function failureOf(error: unknown): SideFailure {
  if (error instanceof DeadlineExceeded) return { kind: 'timeout', detail: error.message }
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
  return { kind: 'network', detail: code ?? (error instanceof Error ? error.message : 'failed') }
}

/**
 * Makes one call and reads at most `maxBytes` of the answer. Never rejects.
 *
 * Redirects are not followed, so that a credential cannot be sent on to somebody else (T7). Compressed answers are refused: a few
 * bytes of them can become many (T46). Nothing is retried. Certificates are checked as Node does.
 */
export const fetchJson: FetchJson = async (call) => {
  let response: IncomingMessage | undefined
  try {
    return await withDeadline(call.timeoutMs, async (signal) => {
      response = await respondedTo(call, signal)
      return answerOf(response, call.maxBytes)
    })
  } catch (error) {
    return failureOf(error)
  } finally {
    // Whatever was not read ends the connection: half an answer must not be the start of the next one.
    if (response && !response.readableEnded) response.destroy()
  }
}

/** Whether a URL may be asked for keys or verdicts: https, or http on this very host (T41). */
export function isTrustworthyUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname } = new URL(text)
  return protocol === 'https:' || (protocol === 'http:' && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname))
}
