import { join } from 'node:path'
import { freePort, NODE, start } from '../processes.ts'
import { asking, type Peer, type Setting, type Target } from '../target.ts'

/** What Node programs relay with, without any authentication: what is left for everything else. */
export function nodeRelays({ upstreamPort }: Setting): Peer {
  const relay = (name: string, what: string, file: string): Target => ({
    name, what, kind: 'bare', warms: true, send: asking(),
    start: async () => {
      const port = await freePort()
      return start({ port, command: [NODE, join(import.meta.dirname, file), String(port), String(upstreamPort)], env: { NODE_ENV: 'production' } })
    },
  })
  return {
    version: `Node ${process.version}`,
    targets: [relay('http-proxy-3 bare', 'no authentication, a Node program', 'http-proxy-server.ts'), relay('undici bare', 'no authentication, node:http to undici', 'undici-server.ts')],
  }
}
