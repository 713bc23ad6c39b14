import type { AuthenticatorUse } from '../model/route.ts'

/**
 * Stands where every authenticator of a route is switched off by unset variables. The route stays guarded: whoever asks
 * learns that authentication is not configured (`dependency_misconfigured`), and nobody gets in.
 */
export function notConfigured(): AuthenticatorUse {
  return {
    authenticator: {
      id: 'not_configured',
      kind: 'anonymous',
      challenge: { scheme: 'Bearer', parameters: [] },
      carriers: [],
      forwardCredential: 'strip',
      extract: () => ({ kind: 'credential', value: '', locations: [] }),
      verify: () => ({ kind: 'unavailable', dependency: 'authentication', misconfigured: true, cause: 'every authenticator of this route is off: the variables that feed them are unset' }),
    },
    optional: false,
    scopes: [],
    onMissing: 'reject',
    onInvalid: 'reject',
    onUnavailable: 'error',
  }
}
