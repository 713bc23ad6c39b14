import type { Allow } from '../../model/decision.ts'
import { type AnswerContext, answerHeaders, pushAnswerHeaders } from '../../wire/answer-headers.ts'
import { type AnswerLines, answerLines, withOurs } from '../../wire/answer-lines.ts'
import { type Added, pushUpstreamLines, responseHeaders } from '../../wire/response-headers.ts'
import { type AnswerStart, UpstreamProtocolError } from './engine.ts'
import { type Exchange, originOf } from './exchange.ts'

type RawHeaders = readonly (string | Buffer)[]

const nameAt = (raw: RawHeaders, index: number): string => (raw[index]?.toString('latin1') ?? '').toLowerCase()

const SWITCHING_PROTOCOLS = 101
const TRANSFER_ENCODING = 'transfer-encoding'

/**
 * Refuses an answer whose end is in doubt, or that is not one. llhttp has refused both lengths and both framings by now; a transfer
 * coding that is not exactly `chunked` it reads as "until the connection closes", and we would pass on coded bytes as plain ones.
 *
 * @throws {UpstreamProtocolError}
 */
export function checkAnswer(status: number, raw: RawHeaders): void {
  if (status === SWITCHING_PROTOCOLS) throw new UpstreamProtocolError('switched protocols without being asked')
  let codings = 0
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (raw[index]?.length !== TRANSFER_ENCODING.length || nameAt(raw, index) !== TRANSFER_ENCODING) continue
    codings += 1
    const coding = raw[index + 1]?.toString('latin1').trim().toLowerCase()
    if (coding !== 'chunked' || codings > 1) throw new UpstreamProtocolError('a transfer coding other than chunked')
  }
}

/** Lines of the upstream that must not reach the client whatever they say. */
function withoutLines(raw: RawHeaders, gone: (name: string) => boolean): RawHeaders {
  const kept: (string | Buffer)[] = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const [name, value] = [raw[index], raw[index + 1]]
    if (name !== undefined && value !== undefined && !gone(nameAt(raw, index))) kept.push(name, value)
  }
  return kept
}

/** Where lines concern each other. Where we answer CORS, the upstream does not; 204 has no length (RFC 9110 section 8.6). */
function mergedHead(decision: Allow, context: AnswerContext, status: number, raw: RawHeaders): string[] {
  const added = answerHeaders(decision, context)
  // Also where this origin is told nothing: else an upstream that reflects any origin would answer for those that are not listed (T59).
  const answersCors = decision.route.cors !== undefined
  if (!answersCors && status !== 204) return responseHeaders(raw, added)
  const gone = (name: string): boolean => (answersCors && name.startsWith('access-control-')) || (status === 204 && name === 'content-length')
  return responseHeaders(withoutLines(raw, gone), added)
}

/** The upstream's lines that pass as they are, each judged by itself. */
function passingOf(start: AnswerStart, { cors, quotas }: Added): AnswerLines | undefined {
  const known = start.passing
  if (known?.cors === cors && known.quotas === quotas) return known.lines
  const list: string[] = []
  const lines = pushUpstreamLines(list, start.raw, { cors, quotas }) ? answerLines(list) : undefined
  start.passing = { cors, quotas, lines }
  return lines
}

/** The lines of a relayed answer. */
export function relayedHead({ gateway: { wire }, parts, incoming }: Pick<Exchange, 'gateway' | 'parts' | 'incoming'>, { decision, requestId }: { decision: Allow; requestId: string }, start: AnswerStart): AnswerLines {
  const { status, raw } = start
  const { route, limits } = decision
  const cors = route.cors !== undefined || wire.cors !== undefined
  const context = { wire, requestId, now: parts.clock(), origin: cors ? originOf(incoming) : undefined }
  const passing = status === 204 ? undefined : passingOf(start, { cors, quotas: limits.length > 0 })
  if (!passing) return answerLines(mergedHead(decision, context, status, raw))
  const ours: string[] = []
  pushAnswerHeaders(ours, decision, context)
  return withOurs(passing, ours)
}
