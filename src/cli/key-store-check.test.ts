import { describe, expect, it } from 'vitest'
import type { PulseState } from '../keys/store-pulse.ts'
import { keyStoreCheck } from './key-store-check.ts'

const NOW = 1_000_000
const checked = (state: PulseState, when: 'never' | 'once' | 'always' = 'once') => keyStoreCheck({ name: 'key_store', state: () => state, tried: async () => undefined }, when, NOW)

describe('/readyz on a store of keys', () => {
  it('is fine while it answers', () => {
    expect(checked({ answeredAt: NOW - 1, error: undefined })).toEqual({ name: 'key_store', ok: true, critical: false })
  })

  it('is not ready before it was ever reached, unless told to be', () => {
    const never: PulseState = { answeredAt: undefined, error: 'no connection' }
    expect(checked(never)).toEqual({ name: 'key_store', ok: false, critical: true, detail: 'never reached: no connection' })
    expect(checked(never, 'always').critical).toBe(true)
    expect(checked(never, 'never').critical).toBe(false)
    expect(checked({ answeredAt: undefined, error: undefined }).detail).toBe('not asked yet')
  })

  it('stays ready while known keys go on working, and says for how long', () => {
    const lost: PulseState = { answeredAt: NOW - 60_000, error: 'no connection' }
    for (const when of ['never', 'once', 'always'] as const) expect(checked(lost, when)).toMatchObject({ ok: false, critical: false, detail: 'no answer for 60 s: no connection; keys that were used lately work for 240 s more at most' })
  })

  it('after that is not ready where the config says so, and says that every key is refused', () => {
    const lost: PulseState = { answeredAt: NOW - 300_000, error: 'no connection' }
    expect(checked(lost)).toMatchObject({ ok: false, critical: false, detail: 'no answer for 300 s: no connection; every key is answered with 503' })
    expect(checked(lost, 'always').critical).toBe(true)
    expect(checked(lost, 'never').critical).toBe(false)
  })
})
