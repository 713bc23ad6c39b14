import type { Denial } from '../model/denial.ts'
import type { HeaderMap } from '../model/request.ts'
import { ambiguous } from './refusal.ts'

/** How a request says where its body ends. `length` counts bytes. */
export type Framing = { readonly kind: 'none' } | { readonly kind: 'length'; readonly length: number } | { readonly kind: 'chunked' }

const NO_BODY: Framing = { kind: 'none' }
const CHUNKED: Framing = { kind: 'chunked' }

/** Digits only, and few enough to be an exact number: no sign, blank, list or exponent (CVE-2021-40346). */
const LENGTH = /^\d{1,15}$/

/**
 * Framing of a request, from its fields and never from its method (T9, T10; RFC 9112 section 6.3). One valid Content-Length, or
 * exactly `chunked`, or nothing. Both, a repetition, another coding, and any coding on HTTP/1.0 are refused; the connection
 * must then be closed.
 */
export function framingOf(headers: HeaderMap, httpVersion: string): Framing | Denial {
  const lengths = headers.get('content-length')
  const codings = headers.get('transfer-encoding')
  if (codings) {
    if (lengths) return ambiguous('transfer-encoding', 'Content-Length beside Transfer-Encoding')
    if (httpVersion !== '1.1') return ambiguous('transfer-encoding', 'Transfer-Encoding needs HTTP/1.1')
    return codings.length === 1 && codings[0]?.toLowerCase() === 'chunked' ? CHUNKED : ambiguous('transfer-encoding', 'expected exactly "chunked"')
  }
  if (!lengths) return NO_BODY
  const [length = ''] = lengths
  return lengths.length === 1 && LENGTH.test(length) ? { kind: 'length', length: Number(length) } : ambiguous('content-length', 'expected one decimal number')
}
