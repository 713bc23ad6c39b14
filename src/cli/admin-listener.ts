import type { Clock } from '../base/time.ts'
import { adminOf } from '../config/admin-settings.ts'
import { denyServiceOf } from '../config/compile-deny-list.ts'
import { keyServicesOf } from '../config/compile-managed-keys.ts'
import type { Resources } from '../config/resources.ts'
import type { Config } from '../config/schema.ts'
import type { AdminFace, AdminTls } from '../faces/admin/server.ts'
import { followCertificate, readCertificate } from '../faces/proxy/tls.ts'
import type { Observer } from '../model/event.ts'
import type { Recent } from '../observe/recent.ts'
import { adminLimits } from './admin-limits.ts'
import { listenError } from './listen-error.ts'
import type { Prepared } from './load-config.ts'
import { VERSION } from './version.ts'

export interface AdminListenerOptions {
  /** The config in use; a reload may change whose keys there are. */
  readonly current: () => Prepared
  /** Undefined: no page. */
  readonly recent: Recent | undefined
  readonly resources: Resources
  readonly clock: Clock
}

/** The files of `admin.tls`, followed like those of every other listener. */
function secured({ certificate, key, client_ca: clientCa }: NonNullable<NonNullable<Config['admin']>['tls']>, observer: Observer): AdminTls {
  const tls = { certificate, key, clientCertificate: clientCa === undefined ? 'off' : 'required', ...(clientCa !== undefined && { clientCa }) } as const
  return { read: () => readCertificate(tls), clientCertificate: clientCa !== undefined, follow: (server) => followCertificate(server, tls, observer) }
}

/**
 * Opens the admin listener, unless the config leaves it off.
 *
 * @throws {OperatorError} when the address cannot be had
 */
export async function startAdmin({ current, recent, resources, clock }: AdminListenerOptions): Promise<AdminFace | undefined> {
  const config = (): Config => current().loaded.config
  const admin = adminOf(config())
  if (!admin) return undefined
  // A config that leaves it off does not load it.
  const [{ createAdminFace }, { createPageSessions }, { adminGateway }, { adminFacts }, { adminExplain }] = await Promise.all([import('../faces/admin/server.ts'), import('../faces/admin/sessions.ts'), import('./admin-gateway.ts'), import('./admin-facts.ts'), import('./admin-explain.ts')])
  const { observer } = resources
  const sessions = createPageSessions(clock)
  const facts = recent && adminFacts({ current, resources, recent })
  const { tls } = admin
  const face = createAdminFace({
    address: admin.listen,
    ...(tls && { tls: secured(tls, observer) }),
    gateway: adminGateway({ admin: () => current().compiled.admin, sessions, clock, observer }),
    services: () => keyServicesOf(config(), resources),
    denials: () => denyServiceOf(config(), resources),
    limits: () => adminLimits(current().compiled.limits.counters, observer, clock),
    explain: adminExplain({ current, resources }),
    ...(facts && { facts }),
    sessions, version: VERSION, clock, observer,
  })
  await face.listen().catch((error: unknown) => {
    throw listenError('admin.listen', admin.listen, error)
  })
  // A code that logs in is a secret: it is for who sits in front of the terminal, never for a log that is kept.
  const link = process.stderr.isTTY ? face.loginLink() : undefined
  if (link !== undefined) process.stderr.write(`  Admin page, for the next ten minutes and once: ${link}\n`)
  return face
}
