import { spawn, type ChildProcess } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')

/** A real Postern process, as an operator starts it: one file, the environment, nothing else. */
export interface RunningPostern {
  readonly url: string
  readonly port: number
  readonly opsUrl: string
  readonly adminUrl: string
  readonly child: ChildProcess
  /** Everything it wrote so far. */
  readonly output: () => string
  /** Audit records so far, in order. */
  readonly audit: () => Record<string, unknown>[]
  /** Runs another command of the same config and environment. */
  readonly command: (...args: string[]) => Promise<CommandResult>
  /** SIGTERM, then waits. */
  readonly stop: () => Promise<number | null>
}

export interface CommandResult { readonly code: number | null; readonly stdout: string; readonly stderr: string }

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : undefined
      server.close(() => {
        if (port === undefined) return reject(new Error('no port'))
        // The system may give one again that nobody has taken yet, and then two listeners of one config have the same.
        if (given.has(port)) return resolve(freePort())
        given.add(port)
        resolve(port)
      })
    })
  })
}

/** Ports that this process was given. */
const given = new Set<number>()

/** PATH and HOME only: what the test's own environment holds must not leak into the config under test. */
const bare = (env: Readonly<Record<string, string>>): NodeJS.ProcessEnv => ({ PATH: process.env['PATH'], HOME: process.env['HOME'], ...env })

/** Runs the launcher to its end. */
export function runPostern(args: readonly string[], env: Readonly<Record<string, string>> = {}, input?: string): Promise<CommandResult> {
  const child = spawn(process.execPath, [join(ROOT, 'bin', 'postern.cjs'), ...args], { env: bare(env), cwd: ROOT, stdio: ['pipe', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin.end(input ?? '')
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })))
}

async function ready(probe: string, ended: () => boolean, output: () => string): Promise<void> {
  const deadline = Date.now() + 20_000
  while (Date.now() < deadline && !ended()) {
    const answer = await fetch(probe).catch(() => undefined)
    if (answer?.status === 200) return
    await new Promise((resolve) => setTimeout(resolve, 40))
  }
  throw new Error(`postern did not become ready:\n${output()}`)
}

/** Starts `postern run --config` and waits until it is ready, or only until it lives. Listeners are chosen through LISTEN, OPS_LISTEN and ADMIN_LISTEN. */
export async function startPostern({ config, env = {}, until = 'readyz' }: { config: string; env?: Readonly<Record<string, string>>; until?: 'readyz' | 'livez' }): Promise<RunningPostern> {
  const [port, ops, admin] = [await freePort(), await freePort(), await freePort()]
  const all = { LISTEN: `127.0.0.1:${port}`, OPS_LISTEN: `127.0.0.1:${ops}`, ADMIN_LISTEN: `127.0.0.1:${admin}`, ...env }
  const child = spawn(process.execPath, [join(ROOT, 'bin', 'postern.cjs'), 'run', '--config', config], { env: bare(all), cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  let stdout = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const exit = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const opsUrl = `http://127.0.0.1:${ops}`
  try {
    await ready(`${opsUrl}/${until}`, () => child.exitCode !== null, () => text)
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    opsUrl,
    adminUrl: `http://127.0.0.1:${admin}`,
    child,
    output: () => text,
    audit: () =>
      stdout
        .split('\n')
        .filter((line) => line.includes('postern.audit'))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    command: (...args) => runPostern(args, all),
    stop: async () => {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      const code = await exit
      clearTimeout(timer)
      return code
    },
  }
}
