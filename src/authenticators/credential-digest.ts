import { sha256Hex } from '../base/bytes.ts'
import type { Credential } from '../model/credential.ts'

/** The SHA-256 of a credential, worked out once however many caches are asked for it. */
export const digestOf = (credential: Pick<Credential, 'value' | 'digest'>): string => (credential.digest ??= sha256Hex(credential.value))
