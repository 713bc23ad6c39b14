import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { eventually, freePort } from './redis.ts'

/** A private server on loopback in a folder of its own. */
export interface PostgresServer {
  readonly port: number
  /** As the owner of everything. */
  readonly url: string
  readonly urlOf: (user: string, database?: string) => string
  readonly execute: (statement: string, database?: string) => Promise<readonly Record<string, unknown>[]>
  readonly signal: (signal: NodeJS.Signals) => void
  readonly kill: () => Promise<void>
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

const FOLDERS = ['', '/usr/local/bin', ...(existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql').map((version) => `/usr/lib/postgresql/${version}/bin`) : [])]

const programOf = (name: string): string | undefined => FOLDERS.map((folder) => join(folder, name)).find((path) => spawnSync(path, ['--version']).status === 0)

const programs = { initdb: programOf('initdb'), postgres: programOf('postgres') }

/** Whether real servers can be started; says so loudly when not, and fails with `POSTERN_PEERS=required`. */
export function postgresInstalled(): boolean {
  if (programs.initdb !== undefined && programs.postgres !== undefined) return true
  const reason = 'PostgreSQL is not installed (apt-get install postgresql): its tests are skipped'
  if (process.env['POSTERN_PEERS'] === 'required') throw new Error(reason)
  process.stderr.write(`! ${reason}\n`)
  return false
}

/** It refuses to run as root. */
function identity(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const [, , uid = '65534', gid = '65534'] = spawnSync('getent', ['passwd', 'nobody']).stdout.toString().split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

export async function startPostgres(): Promise<PostgresServer> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'postern-postgres-'))
  const who = identity()
  if (who.uid !== undefined && who.gid !== undefined) chownSync(folder, who.uid, who.gid)
  const data = join(folder, 'data')
  const made = spawnSync(programs.initdb ?? 'initdb', ['-D', data, '-U', 'owner', '-A', 'trust', '-N', '--no-locale', '-E', 'UTF8'], { ...who, cwd: folder })
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr.toString()}`)
  const urlOf = (user: string, database = 'postgres'): string => `postgres://${user}@127.0.0.1:${port}/${database}`
  let child: ChildProcess

  const execute = async (statement: string, database?: string): Promise<readonly Record<string, unknown>[]> => {
    const sql = postgres(urlOf('owner', database), { max: 1, onnotice: () => undefined, connect_timeout: 2 })
    try {
      return await sql.unsafe(statement)
    } finally {
      await sql.end({ timeout: 0 })
    }
  }
  // Without fsync: no test takes the power away, and a start after a crash would sync every file of every database.
  const start = async (): Promise<void> => {
    child = spawn(programs.postgres ?? 'postgres', ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', '', '-c', 'shared_buffers=16MB', '-c', 'fsync=off', '-c', 'max_connections=60'], { ...who, cwd: folder, stdio: 'ignore' })
    await eventually(async () => (await execute('SELECT 1')).length === 1, `PostgreSQL answers on ${port}`, 30_000)
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGCONT')
    child.kill(signal)
    await gone
  }
  await start()
  return {
    port, url: urlOf('owner'), urlOf, execute, start,
    signal: (signal) => void child.kill(signal),
    // SIGQUIT: as a crash, with recovery at the next start, and no process is left behind.
    kill: () => end('SIGQUIT'),
    stop: async () => {
      await end('SIGQUIT')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
