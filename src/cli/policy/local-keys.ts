import { exportJWK, generateKeyPair, type CryptoKey, type JWK } from 'jose'
import { readKeySet, type KeySet } from '../../authenticators/key-set.ts'
import type { KeySource } from '../../authenticators/key-source.ts'

/** A key that exists for one run and is written nowhere. */
export interface LocalKey {
  readonly kid: string
  readonly privateKey: CryptoKey
}

/** Keys of one run, in place of those that issuers publish. */
export interface LocalKeys {
  /** The key of the issuers for an algorithm, made when it is first wanted. */
  readonly issuer: (algorithm: string) => Promise<LocalKey>
  /** A key that no issuer has. */
  readonly stranger: (algorithm: string) => Promise<LocalKey>
  /** Where every authenticator finds the published halves. Asks nobody. */
  readonly source: (id: string) => KeySource
}

async function make(algorithm: string, kid: string): Promise<{ readonly key: LocalKey; readonly jwk: JWK }> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true })
  return { key: { kid, privateKey }, jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' } }
}

/** Makes keys as they are wanted, each once. */
function createRing(prefix: string, made: (jwk: JWK) => void = () => undefined): (algorithm: string) => Promise<LocalKey> {
  const keys = new Map<string, Promise<LocalKey>>()
  return (algorithm) => {
    const known = keys.get(algorithm)
    if (known) return known
    const making = make(algorithm, `${prefix}-${algorithm}`).then(({ key, jwk }) => {
      made(jwk)
      return key
    })
    keys.set(algorithm, making)
    return making
  }
}

export function createLocalKeys(): LocalKeys {
  const published: JWK[] = []
  let set: KeySet = readKeySet({ keys: [] })
  const issuer = createRing('local', (jwk) => {
    published.push(jwk)
    set = readKeySet({ keys: published })
  })
  return {
    issuer,
    stranger: createRing('stranger'),
    source: (id) => ({ id, current: () => set, keys: () => set, refetched: () => set, ready: async () => undefined, state: () => ({ keys: set.size }), close: () => undefined }),
  }
}
