import type { UpstreamSettings } from '../../model/gateway.ts'
import { createDirectConnection } from './direct-connection.ts'
import type { UpstreamConnection } from './engine.ts'

/** undici is 0.7 MB of program: only who asks for it loads it. */
function createLaterConnection(settings: UpstreamSettings): UpstreamConnection {
  let made: UpstreamConnection | undefined
  const loading = import('./undici-connection.ts').then(({ createUndiciConnection }) => (made = createUndiciConnection(settings)))
  loading.catch(() => undefined)
  return {
    dispatch: (request, events) => {
      if (made) made.dispatch(request, events)
      else void loading.then((connection) => connection.dispatch(request, events)).catch((error: unknown) => events.failed(error))
    },
    carry: () => made?.carry() ?? 0,
    destroy: async () => (await loading).destroy(),
  }
}

/** One connection to an upstream, on the engine that its settings name. */
export function createConnection(settings: UpstreamSettings): UpstreamConnection {
  return settings.engine === 'undici' ? createLaterConnection(settings) : createDirectConnection(settings)
}
