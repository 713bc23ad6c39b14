/** The part of `oidc-provider` that the tests use; the package has no types of its own. */
declare module 'oidc-provider' {
  import type { RequestListener } from 'node:http'

  interface Saved { save: () => Promise<string> }

  export class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>)
    callback(): RequestListener
    on(event: string, listener: (...args: readonly unknown[]) => void): this
    readonly Client: { find: (id: string) => Promise<object | undefined> }
    readonly Grant: new (properties: { accountId: string; clientId: string }) => Saved & { addOIDCScope: (scope: string) => void; destroy: () => Promise<void> }
    readonly AccessToken: new (properties: Readonly<Record<string, unknown>>) => Saved
  }
}
