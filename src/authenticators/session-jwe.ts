import { errors, jwtDecrypt } from 'jose'
import type { DurationMs, EpochMs } from '../base/time.ts'
import type { SessionEncryption, SessionKey } from './session-keys.ts'

/** What a sealed session holds, or why it is not one. */
export type OpenedSession =
  | { readonly kind: 'opened'; readonly claims: Readonly<Record<string, unknown>>; readonly expiresAt: EpochMs }
  | { readonly kind: 'invalid' }
  | { readonly kind: 'expired' }

interface SealedHeader { readonly encryption: SessionEncryption; readonly kid?: string }

const COMPACT = /^([A-Za-z0-9_-]{2,1024})\.\.([A-Za-z0-9_-]{1,64})\.[A-Za-z0-9_-]+\.([A-Za-z0-9_-]{1,64})$/
const KNOWN_MEMBERS = new Set(['alg', 'enc', 'kid', 'typ'])

/** Whether a value has the shape of a compact JWE with direct encryption (the encrypted key is empty). Anything else is opaque. */
export const looksSealed = (value: string): boolean => COMPACT.test(value)

/**
 * Reads the header without touching a key. `dir` and two encryptions only: everything else that JWE can do (PBES2 iteration counts,
 * compression) makes the verifier work for the attacker (CVE-2024-28176, CVE-2024-29371).
 */
function headerOf(value: string): SealedHeader | undefined {
  const encoded = COMPACT.exec(value)?.[1]
  if (encoded === undefined) return undefined
  let header: unknown
  try {
    header = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) return undefined
  const { alg, enc, kid } = header as Readonly<Record<string, unknown>>
  if (!Object.keys(header).every((name) => KNOWN_MEMBERS.has(name)) || alg !== 'dir') return undefined
  if (enc !== 'A256GCM' && enc !== 'A256CBC-HS512') return undefined
  if (kid === undefined) return { encryption: enc }
  return typeof kid === 'string' ? { encryption: enc, kid } : undefined
}

async function open(value: string, key: SessionKey, { now, toleranceMs }: { now: EpochMs; toleranceMs: DurationMs }): Promise<OpenedSession> {
  try {
    const { payload } = await jwtDecrypt(value, key.key, {
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: [key.encryption],
      clockTolerance: toleranceMs / 1_000,
      currentDate: new Date(now),
      // Without `exp` a stolen cookie is valid for ever (CVE-2025-46344).
      requiredClaims: ['exp'],
    })
    const { exp } = payload
    return typeof exp === 'number' && Number.isFinite(exp) ? { kind: 'opened', claims: payload, expiresAt: exp * 1_000 } : { kind: 'invalid' }
  } catch (error) {
    return { kind: error instanceof errors.JWTExpired ? 'expired' : 'invalid' }
  }
}

/** Opens a sealed session with the keys that its header allows: the one it names, or else each in turn, newest first. */
export async function openSession(value: string, keys: readonly SessionKey[], time: { readonly now: EpochMs; readonly toleranceMs: DurationMs }): Promise<OpenedSession> {
  const header = headerOf(value)
  if (!header) return { kind: 'invalid' }
  const fitting = keys.filter((key) => key.encryption === header.encryption && (header.kid === undefined || header.kid === key.kid))
  for (const key of fitting) {
    const opened = await open(value, key, time)
    if (opened.kind !== 'invalid') return opened
  }
  return { kind: 'invalid' }
}
