import type { Duplex } from 'node:stream'
import { Socket } from 'node:net'
import type { Denial } from '../../model/denial.ts'
import { createRequestId } from '../../wire/request-id.ts'
import { writeReplyToSocket } from '../../wire/write.ts'
import type { FaceParts } from './exchange.ts'
import { deny } from './judge.ts'
import { endsAfterAnswers, hasBegunAnswer } from './node-client.ts'
import { refusalReply } from './refuse.ts'

type ParserError = Error & { readonly code?: string }

const HEAD_TOO_LARGE: Denial = { kind: 'denial', code: 'request_too_large', status: 431, detail: 'the head of the request is too large' }
const NOT_HTTP: Denial = { kind: 'denial', code: 'request_ambiguous', part: 'message', detail: 'not a well-formed HTTP/1.1 request' }
const TOO_SLOW: Denial = { kind: 'denial', code: 'request_ambiguous', part: 'message', detail: 'the head of the request did not arrive in time' }

/** What to say about a parser's error; undefined when there is nobody to say it to, or nothing that was a request. */
function refusalOf({ code = '' }: ParserError): { denial: Denial; status?: number } | undefined {
  if (code === 'HPE_HEADER_OVERFLOW' || code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return { denial: HEAD_TOO_LARGE }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { denial: TOO_SLOW, status: 408 }
  return code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE' ? { denial: NOT_HTTP } : undefined
}

/**
 * Answers bytes that are not a request: 400, 408 or 431, and always the end of the connection, because nobody knows where the next
 * request would begin. A connection on which an answer has begun is cut off instead.
 */
export function createUnparsable(parts: FaceParts): (error: ParserError, socket: Duplex) => void {
  return (error, socket) => {
    if (socket instanceof Socket && endsAfterAnswers(socket)) return
    const refusal = refusalOf(error)
    if (!refusal || !(socket instanceof Socket) || !socket.writable || hasBegunAnswer(socket)) {
      socket.destroy()
      return
    }
    const requestId = createRequestId()
    const reply = refusalReply({ ...refusal, requestId, limits: [] }, { wire: parts.gateway().wire, now: parts.clock() })
    parts.observer.decided({ face: 'proxy', wire: { id: requestId, method: '', path: '', peer: parts.peers.of(socket) ?? '' }, decision: deny('describe', refusal.denial), durationMs: 0 })
    writeReplyToSocket(socket, reply)
    parts.observer.answered({ face: 'proxy', method: '', status: reply.status, durationMs: 0 })
  }
}
