import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { redisInstalled, startRedis } from '../test/support/redis.ts'
import { startIntrospector } from './introspector.ts'
import type { Beside } from './postern-targets.ts'
import { answering, freePort, installed, NODE, notOrphaned } from './processes.ts'
import type { Setting } from './target.ts'
import { issue } from './tokens.ts'

/** Everything that a run needs besides the targets. */
export interface Scene {
  readonly setting: Setting
  readonly beside: Beside
  readonly close: () => Promise<void>
}

/** Starts the upstream and what else answers, all on the second core together with the load generator. */
export async function setScene(): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-bench-'))
  // Workers of peers may run as another user; nothing in here is secret.
  chmodSync(directory, 0o755)
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  if (installed('taskset') && cpus().length > 1) spawnSync('taskset', ['-a', '-c', '-p', '1', String(process.pid)])
  const upstreamPort = await freePort()
  const upstream = notOrphaned(spawn(NODE, [join(import.meta.dirname, 'upstream.ts'), String(upstreamPort)], { stdio: 'ignore' }))
  await answering(upstreamPort)
  const introspector = await startIntrospector()
  const redis = redisInstalled() ? await startRedis() : undefined
  return {
    setting: { directory, upstreamPort, issued: issue(directory) },
    beside: { introspectUrl: introspector.url, redisUrl: redis?.url },
    close: async () => {
      upstream.kill()
      introspector.close()
      await redis?.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
