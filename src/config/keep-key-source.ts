import { createKeySource, type KeyMemory, type KeySource, type KeySourceSettings } from '../authenticators/key-source.ts'
import { sha256Hex } from '../base/bytes.ts'
import type { Resources } from './resources.ts'

const hashOf = (value: unknown): string => sha256Hex(JSON.stringify(value))

/**
 * The key source of these settings, the one of the config before when nothing about it changed. Where only times changed it is a new one that
 * begins with what the old one knew: a reload while the issuer is down must not lose the keys.
 */
export function keepKeySource(settings: KeySourceSettings, resources: Resources): KeySource {
  const { id, issuers, jwksUrl } = settings
  const memory = resources.keep<KeyMemory>('key_memory', hashOf({ id, issuers, jwksUrl }), () => ({}))
  return resources.keep('key_source', hashOf(settings), () => createKeySource(settings, { ...resources, memory }))
}
