import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, NODE, NODE_ENVIRONMENT, NODE_FLAGS, ROOT, type Server, start } from './processes.ts'
import type { Setting } from './target.ts'
import { AUDIENCE, ISSUER } from './tokens.ts'

/** Three windows, none of which ends: what a limit costs is measured, not what a refusal does. */
const LIMITS = `rate_limit:
  - {name: minute, key: principal, limit: 1000000000, window: 1m}
  - {name: hour, key: principal, limit: 1000000000, window: 1h}
  - {name: day, key: principal, limit: 1000000000, window: 1d}
`

export const JWT = (jwks: string): string => `jwt: {issuer: ${ISSUER}, audience: ${AUDIENCE}, jwks_file: ${jwks}}`

export interface PosternKind {
  /** One entry of `auth`. */
  readonly auth: string
  /** `forward`: answers checks of a proxy on this host. */
  readonly mode?: 'proxy' | 'forward'
  /** Answers checks of Envoy on this port as well. */
  readonly grpcPort?: number
  readonly more?: string
}

/** A Postern that is ready to be started. */
export interface PreparedPostern {
  readonly port: number
  /** Its config. */
  readonly file: string
  readonly start: () => Promise<Server>
}

const mainOf = (directory: string): string => join(directory, 'dist/main.js')

/** Writes a config with three limits, metrics and an audit log. */
export async function preparePostern({ directory, upstreamPort, build = { directory: ROOT, flags: [] } }: Setting, { auth, mode = 'proxy', grpcPort, more = '' }: PosternKind): Promise<PreparedPostern> {
  const [port, ops] = [await freePort(), await freePort()]
  const file = join(directory, `postern-${port}.yaml`)
  const face = mode === 'proxy' ? `upstream: http://127.0.0.1:${upstreamPort}\nclient_ip: {direct: true}\n` : `mode: forward_auth\nclient_ip: {trusted_proxies: [127.0.0.1]}\n${grpcPort === undefined ? '' : `forward_auth: {grpc: 127.0.0.1:${grpcPort}}\n`}`
  writeFileSync(file, `version: 1
listen: 127.0.0.1:${port}
ops: 127.0.0.1:${ops}
${face}auth:
  - ${auth}
${LIMITS}audit: ${directory}/audit-${port}.log
log: {level: warn}
reload: {watch: false}
${more}`)
  // The built program by the pinned Node, as an image runs it.
  return { port, file, start: () => start({ port, command: [NODE, ...NODE_FLAGS, ...build.flags, mainOf(build.directory), 'run', '-c', file], env: { ...NODE_ENVIRONMENT, NODE_ENV: 'production' } }) }
}

export const startPostern = async (setting: Setting, kind: PosternKind): Promise<Server> => (await preparePostern(setting, kind)).start()

/** The files that `postern snippet` gives an operator for a proxy that asks this Postern. */
export function snippetFiles({ upstreamPort }: Setting, { file }: PreparedPostern, kind: string, listenPort: number): Readonly<Record<string, string>> {
  const told = spawnSync(NODE, [mainOf(ROOT), 'snippet', kind, '-c', file, '--json', '--api', `127.0.0.1:${upstreamPort}`, '--listen', `127.0.0.1:${listenPort}`], { encoding: 'utf8' })
  if (told.status !== 0) throw new Error(`postern snippet ${kind}: ${told.stderr}`)
  return JSON.parse(told.stdout) as Record<string, string>
}
