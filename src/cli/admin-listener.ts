import type { Clock } from '../base/time.ts'
import { denyServiceOf } from '../config/compile-deny-list.ts'
import { keyServicesOf } from '../config/compile-managed-keys.ts'
import type { Resources } from '../config/resources.ts'
import type { Config } from '../config/schema.ts'
import type { AdminFace } from '../faces/admin/server.ts'
import { listenError } from './listen-error.ts'
import { VERSION } from './version.ts'

export interface AdminListenerOptions {
  /** The config in use; a reload may change whose keys there are. */
  readonly config: () => Config
  readonly resources: Resources
  readonly clock: Clock
}

/**
 * Opens the admin listener, unless the config leaves it off.
 *
 * @throws {OperatorError} when the address cannot be had
 */
export async function startAdmin({ config, resources, clock }: AdminListenerOptions): Promise<AdminFace | undefined> {
  const { admin } = config()
  if (admin === undefined || admin.token === '') return undefined
  // A config that leaves it off does not load it.
  const { createAdminFace } = await import('../faces/admin/server.ts')
  const face = createAdminFace({ address: admin.listen, token: admin.token, hosts: admin.hosts, services: () => keyServicesOf(config(), resources), denials: () => denyServiceOf(config(), resources), version: VERSION, clock, observer: resources.observer })
  await face?.listen().catch((error: unknown) => {
    throw listenError('admin.listen', admin.listen, error)
  })
  return face
}
