import type { Authenticator } from '../model/ports.ts'

/** Builds the authenticator that lets anybody in as nobody. It reads no carrier, so it finds its credential in every request. */
export function createAnonymousAuthenticator(id: string): Authenticator {
  const anybody = { kind: 'credential', value: '', locations: [] } as const
  const nobody = { kind: 'authenticated', principal: { kind: 'anonymous', authenticatorId: id } } as const
  return { id, kind: 'anonymous', challenge: { scheme: 'Bearer', parameters: [] }, carriers: [], forwardCredential: 'strip', extract: () => anybody, verify: () => nobody }
}
