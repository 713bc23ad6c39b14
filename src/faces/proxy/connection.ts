import type { UpstreamSettings } from '../../model/gateway.ts'
import { createDirectConnection } from './direct-connection.ts'
import type { UpstreamConnection } from './engine.ts'
import { createUndiciConnection } from './undici-connection.ts'

/** One connection to an upstream, on the engine that its settings name. */
export function createConnection(settings: UpstreamSettings): UpstreamConnection {
  return settings.engine === 'undici' ? createUndiciConnection(settings) : createDirectConnection(settings)
}
