import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, NODE, ROOT, start } from '../processes.ts'
import { type Peer, type Setting, showing, type Target } from '../target.ts'
import { AUDIENCE, ISSUER } from '../tokens.ts'

const versionOf = (name: string): string => (JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version

/** @fastify/http-proxy behind @fastify/jwt: what many a team writes for itself. */
export function fastify({ upstreamPort, issued }: Setting): Peer | undefined {
  if (!existsSync(join(ROOT, 'node_modules', 'fastify'))) return undefined
  const target = (name: string, what: string, ...more: readonly string[]): Target => ({
    name, what, warms: true, ...showing(issued.token),
    start: async () => {
      const port = await freePort()
      return start({ port, command: [NODE, join(import.meta.dirname, 'fastify-server.ts'), String(port), String(upstreamPort), issued.pem, ISSUER, AUDIENCE, ...more], env: { NODE_ENV: 'production' } })
    },
  })
  return {
    version: `fastify ${versionOf('fastify')}, http-proxy ${versionOf('@fastify/http-proxy')}, jwt ${versionOf('@fastify/jwt')}`,
    targets: [target('fastify http-proxy + jwt', 'ES256 token, verified each time'), target('fastify http-proxy + jwt, cache', 'ES256 token that is remembered', 'remember')],
  }
}
