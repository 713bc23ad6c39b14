import type { Reading } from '../model/credential.ts'
import type { RejectionReason } from '../model/reason.ts'
import { memberFaultOf } from './duplicate-member.ts'

/** A JSON object. Read its members with `Object.hasOwn`: names come from strangers. */
export type JsonObject = Readonly<Record<string, unknown>>

/** A compact JWS, taken apart. Nothing in it is verified. */
export interface TokenShape {
  readonly kind: 'token'
  readonly header: JsonObject
  readonly payload: JsonObject
}

export type ShapeFault = Extract<Reading, { readonly kind: 'fault' }>

/** An empty signature is let through to the algorithm check, which knows a better reason for refusing it. */
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*$/
/** First two letters of the base64url of every text that starts with `{`. */
const OBJECT_START = /^e[w-z0-9_-]/
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Whether a value is to be read as a compact JWS and as nothing else: how a JWT and an opaque key share one carrier. An overlong
 * value is judged by its start alone, so that it is refused as a token before anything walks through it (T44).
 */
export const looksLikeToken = (value: string, maxLength: number): boolean => OBJECT_START.test(value) && (value.length > maxLength || COMPACT.test(value))

const fault = (reason: RejectionReason, detail: string): ShapeFault => ({ kind: 'fault', reason, detail })

/** Why a token is not looked at. To be asked wherever a token may pass by without being read: the cap is each authenticator's own. */
export const lengthFault = (token: string, maxLength: number): ShapeFault | undefined =>
  token.length > maxLength ? fault('token_too_long', `${token.length} characters, at most ${maxLength} are read`) : undefined

/** Bytes of canonical base64url: re-encoding must give the same text, or one token would have several spellings (T38). */
function bytesOf(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, 'base64url')
  return bytes.toString('base64url') === part ? bytes : undefined
}

/** Boxed, so that no token can look like a fault. */
function objectOf(bytes: Buffer, part: string): { readonly kind: 'object'; readonly value: JsonObject } | ShapeFault {
  let json: string
  let value: unknown
  try {
    json = UTF8.decode(bytes)
    value = JSON.parse(json)
  } catch {
    return fault('jwt_malformed', `${part} is not JSON`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fault('jwt_malformed', `${part} is not a JSON object`)
  const members = memberFaultOf(json)
  if (members === 'duplicate') return fault('jwt_duplicate_member', `${part} names a member twice`)
  if (members) return fault('jwt_malformed', `${part} is not plain JSON (${members})`)
  // An object, by the check above; its members stay unknown.
  return { kind: 'object', value: value as JsonObject }
}

/**
 * Reads a compact JWS: length cap first, then exactly two dots, base64url alphabet, canonical encoding of all three parts, then
 * header and payload as JSON objects without doubtful members.
 *
 * @param maxLength  characters; the longest token that is looked at
 */
export function readToken(token: string, maxLength: number): TokenShape | ShapeFault {
  const overlong = lengthFault(token, maxLength)
  if (overlong) return overlong
  if (!COMPACT.test(token)) return fault('jwt_malformed', 'not three base64url parts')
  const parts = token.split('.').map(bytesOf)
  const [headerBytes, payloadBytes, signature] = parts
  if (!headerBytes || !payloadBytes || !signature) return fault('jwt_malformed', 'not canonical base64url')
  const header = objectOf(headerBytes, 'header')
  if (header.kind === 'fault') return header
  const payload = objectOf(payloadBytes, 'payload')
  return payload.kind === 'fault' ? payload : { kind: 'token', header: header.value, payload: payload.value }
}
