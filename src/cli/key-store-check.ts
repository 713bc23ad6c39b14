import type { EpochMs } from '../base/time.ts'
import type { KeyStoreReport } from '../config/key-store-reports.ts'
import type { Config } from '../config/schema.ts'
import type { OpsCheck } from '../faces/ops/status.ts'
import { KEY_LOOKUP_LIMITS } from '../keys/key-lookup.ts'

/**
 * What `/readyz` says of a store of keys. One that was never reached makes an instance unready: others that know keys do better, and a
 * rollout with a wrong password stops. One that is lost does not: known keys go on working, and it is lost for every instance alike.
 */
export function keyStoreCheck({ name, state }: KeyStoreReport, when: Config['ready']['key_store'], now: EpochMs): OpsCheck {
  const { answeredAt, error } = state()
  if (answeredAt === undefined) return { name, ok: false, critical: when !== 'never', detail: error === undefined ? 'not asked yet' : `never reached: ${error}` }
  if (error === undefined) return { name, ok: true, critical: false }
  const awayMs = Math.max(now - answeredAt, 0)
  const leftMs = KEY_LOOKUP_LIMITS.graceMs - awayMs
  const outlook = leftMs > 0 ? `keys that were used lately work for ${Math.ceil(leftMs / 1_000)} s more at most` : 'every key is answered with 503'
  return { name, ok: false, critical: when === 'always' && leftMs <= 0, detail: `no answer for ${Math.round(awayMs / 1_000)} s: ${error}; ${outlook}` }
}
