import type { Clock } from '../../src/base/time.ts'
import { adminGateway } from '../../src/cli/admin-gateway.ts'
import { compile } from '../../src/config/compile.ts'
import { createResources } from '../../src/config/resources.ts'
import { configSchema } from '../../src/config/schema.ts'
import type { AdminGateway } from '../../src/faces/admin/gate.ts'
import type { PageSessions } from '../../src/faces/admin/sessions.ts'
import type { Observer } from '../../src/model/event.ts'

export interface AdminGateOptions {
  /** `admin:` of a config. */
  readonly admin: Readonly<Record<string, unknown>>
  /** The rest of it. */
  readonly more?: Readonly<Record<string, unknown>>
  readonly sessions: PageSessions
  readonly clock: Clock
  readonly observer: Observer
}

/** The guard of an admin listener, compiled from a config like any other. */
export function adminGate({ admin, more, sessions, clock, observer }: AdminGateOptions): () => AdminGateway {
  const config = configSchema.parse({ version: 1, upstreams: { api: { url: 'http://127.0.0.1:1' } }, routes: [{ auth: 'none' }], admin, ...more })
  const compiled = compile(config, createResources({ clock, observer }))
  return adminGateway({ admin: () => compiled.admin, sessions, clock, observer })
}
