import type { Denial } from '../model/denial.ts'
import type { HeaderMap } from '../model/request.ts'
import { connectionTokens } from './headers.ts'
import { ambiguous } from './refusal.ts'

const only = (headers: HeaderMap, name: string): string | undefined => {
  const lines = headers.get(name)
  return lines?.length === 1 ? lines[0] : undefined
}

/** Base64 of 16 bytes in its one spelling. */
function isKey(text: string | undefined): boolean {
  if (text?.length !== 24) return false
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === 16 && bytes.toString('base64') === text
}

/**
 * Why a request may not open a WebSocket, or undefined (T14; RFC 6455 section 4.2.1). The rules are exact because the upstream
 * must come to the same verdict: a handshake that only one side believes in is a tunnel that nobody judged (0ang3el, 2019).
 */
export function handshakeMistake({ method, httpVersion, headers }: { method: string; httpVersion: string; headers: HeaderMap }): Denial | undefined {
  const refuse = (detail: string): Denial => ambiguous('upgrade', detail)
  if (method !== 'GET' || httpVersion !== '1.1') return refuse('expected GET and HTTP/1.1')
  if (only(headers, 'upgrade')?.toLowerCase() !== 'websocket') return refuse('expected exactly "websocket"')
  if (!connectionTokens(headers).has('upgrade')) return refuse('Connection does not name it')
  if (headers.has('content-length') || headers.has('transfer-encoding')) return refuse('a handshake has no body')
  if (only(headers, 'sec-websocket-version') !== '13') return refuse('expected one Sec-WebSocket-Version: 13')
  return isKey(only(headers, 'sec-websocket-key')) ? undefined : refuse('expected one Sec-WebSocket-Key of 16 bytes')
}
