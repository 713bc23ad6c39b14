import type { Authenticator } from '../model/ports.ts'
import { createExtract, type Carrier } from './carriers.ts'
import { looksLikeToken } from './token-shape.ts'

type Extract = Authenticator['extract']

/** Each config adds a few at most. */
const MAX_SHARED = 1_024
const shared = new Map<string, Extract>()

/**
 * Finds tokens. Authenticators that look in the same places with the same cap get the same function, by which a request knows that it
 * need not be looked through again.
 */
export function tokenExtract(carriers: readonly Carrier[], maxTokenLength: number): Extract {
  const key = JSON.stringify([maxTokenLength, carriers])
  const known = shared.get(key)
  if (known) return known
  const extract = createExtract(carriers, (value) => looksLikeToken(value, maxTokenLength))
  if (shared.size >= MAX_SHARED) shared.clear()
  shared.set(key, extract)
  return extract
}
