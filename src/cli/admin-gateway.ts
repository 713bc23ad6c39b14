import type { Compiled } from '../config/compile.ts'
import type { AdminGateway } from '../faces/admin/gate.ts'
import { createPageAuthenticator } from '../faces/admin/page-authenticator.ts'
import { API_ROUTES, PAGE_ROUTES, type AdminRoute } from '../faces/admin/routes.ts'
import type { PageSessions } from '../faces/admin/sessions.ts'
import type { Observer } from '../model/event.ts'
import type { Clock } from '../base/time.ts'
import { createDecisionPoint } from '../pipeline/decide.ts'
import { failClosed } from '../pipeline/fail-closed.ts'
import { createRouteTable, type RouteEntry } from '../pipeline/route-table.ts'

export interface AdminGatewayOptions {
  /** Of the config in use. */
  readonly admin: () => Compiled['admin']
  readonly sessions: PageSessions
  readonly clock: Clock
  readonly observer: Observer
}

type CompiledAdmin = NonNullable<Compiled['admin']>

/** The decision point of the admin listener: the seven stages of every other request, over its own routes. */
function gatewayOf(admin: CompiledAdmin, { sessions, clock, observer }: AdminGatewayOptions): AdminGateway {
  const page = createPageAuthenticator({ sessions, ended: admin.ended })
  const entryOf = ({ id, pattern, methods, access, page: ofPage }: AdminRoute): RouteEntry => ({ pattern, methods: new Set(methods), route: admin.route(id, access, ofPage ? page : undefined) })
  const { table, conflicts } = createRouteTable([...API_ROUTES, ...PAGE_ROUTES].map(entryOf))
  if (conflicts.length > 0) throw new Error('two routes of the admin listener conflict')
  const point = failClosed(createDecisionPoint({ routes: table, limiter: admin.limiter, clock }), (error) => {
    observer.faulted(error)
  })
  return { ...admin, point }
}

/** Made anew for each config that is taken into use. A config that leaves the listener off keeps the last guard, until the restart that it needs. */
export function adminGateway(options: AdminGatewayOptions): () => AdminGateway {
  let known: { readonly admin: CompiledAdmin; readonly gateway: AdminGateway } | undefined
  return () => {
    const admin = options.admin() ?? known?.admin
    if (!admin) throw new Error('there is no guard of the admin listener')
    if (known?.admin !== admin) known = { admin, gateway: gatewayOf(admin, options) }
    return known.gateway
  }
}
