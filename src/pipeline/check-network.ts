import type { Denial } from '../model/denial.ts'
import type { RequestDescription } from '../model/request.ts'
import type { Route } from '../model/route.ts'

const DENIED: Denial = { kind: 'denial', code: 'network_denied' }
const HTTPS_REQUIRED: Denial = { kind: 'denial', code: 'https_required' }

/** Whether this network, over this scheme, may ask at all. A denied network wins over an allowed one. No redirect to https: it would invite clients to go on sending credentials in clear. */
export function checkNetwork(route: Route, { client, target }: RequestDescription): Denial | undefined {
  if (route.deniedNetworks?.contains(client.ip)) return DENIED
  if (route.allowedNetworks && !route.allowedNetworks.contains(client.ip)) return DENIED
  if (route.requireHttps && target.scheme !== 'https') return HTTPS_REQUIRED
  return undefined
}
