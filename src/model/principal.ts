import type { CidrSet } from '../base/cidr.ts'
import type { EpochMs } from '../base/time.ts'
import type { CredentialLocation } from './credential.ts'
import type { QuotaPolicy } from './quota.ts'

/** The one proven, or nobody on purpose. Anonymous is somebody, not an absence. */
export type Principal = IdentifiedPrincipal | AnonymousPrincipal

export interface AnonymousPrincipal {
  readonly kind: 'anonymous'
  /** The id of the `anonymous` authenticator that let it in. */
  readonly authenticatorId: string
}

export interface IdentifiedPrincipal {
  readonly kind: 'identified'
  /** Who: 1 to 255 visible ASCII characters after verification, or any Unicode text without controls (encoded when sent). */
  readonly subject: string
  /** Name of the authenticator in the config; what templates call `method`. */
  readonly authenticatorId: string
  /** Key id or `jti`; never the secret. */
  readonly credentialId?: string
  /** When the proof ends; tunnels are closed then. */
  readonly expiresAt?: EpochMs
  readonly scopes: ReadonlySet<string>
  readonly roles: readonly string[]
  readonly tier?: string
  readonly email?: string
  /** True when a trusted service named the subject (`subject.from_header`): the key proves the service, not the person. */
  readonly asserted?: boolean
  /** Where the proof was carried. A cookie brings the CSRF rule with it. */
  readonly carrier: CredentialLocation
  /** Every place the consumed credential occupied, chunks included. */
  readonly locations: readonly CredentialLocation[]
  /** Verified claims or the key record's public fields. Own properties only; never a secret. */
  readonly attributes: Readonly<Record<string, unknown>>
  /** Networks this credential may be used from; absent means anywhere. */
  readonly allowedNetworks?: CidrSet
  /** Limits of this very credential; they replace those of its tier. */
  readonly quotas?: readonly QuotaPolicy[]
}

/** All principals of one request, by authenticator id, and the one that speaks for it. */
export interface Principals {
  readonly primary: Principal
  readonly byAuthenticator: ReadonlyMap<string, Principal>
  /** Scopes that the chosen uses of authenticators demand on this route (`{use: pat, scopes: [...]}`), by authenticator id. */
  readonly requiredScopes: ReadonlyMap<string, readonly string[]>
}
