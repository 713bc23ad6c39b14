import type { FuzzTarget } from './fuzz-target.ts'
import { clientAddress } from './targets/client-address.ts'
import { networks } from './targets/networks.ts'
import { proxyHeader } from './targets/proxy-header.ts'
import { requestTarget } from './targets/request-target.ts'

/** Everything that is fuzzed. */
export const TARGETS: readonly FuzzTarget[] = [requestTarget, clientAddress, networks, proxyHeader]
