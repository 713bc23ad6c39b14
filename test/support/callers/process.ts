import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SnippetFacts } from '../../../src/cli/snippets/facts.ts'

/** A proxy that asks Postern about each request. */
export interface Caller {
  readonly port: number
  /** Everything it wrote, for a test that fails. */
  readonly output: () => string
  readonly close: () => Promise<void>
}

/** How one kind of caller is started from the snippet that is shipped for it. */
export interface CallerKind {
  readonly name: string
  /** Runs for real; otherwise its documented handling is emulated from the same snippet. */
  readonly real: boolean
  /** Asks over gRPC. */
  readonly grpc?: boolean
  /** Cleans the path up first, and then asks about and sends the clean one. */
  readonly tidies?: boolean
  readonly start: (facts: SnippetFacts) => Promise<Caller>
}

/** The program of this name: what `POSTERN_ENVOY` and the like say, or what is on the path. */
export const programOf = (binary: string): string => process.env[`POSTERN_${binary.toUpperCase()}`] ?? binary

export const onPath = (binary: string): boolean => spawnSync('sh', ['-c', `command -v ${programOf(binary)}`], { env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } }).status === 0

/** Whether a test with this peer may be left out: not where peers are required, unless it is one that no package archive brings. */
export function missing(binary: string, { optional = false } = {}): boolean {
  if (onPath(binary)) return false
  if (!optional && process.env['POSTERN_PEERS'] === 'required') throw new Error(`${binary} is not installed, and POSTERN_PEERS=required`)
  process.stderr.write(`SKIPPED: ${binary} is not installed, so nothing is known about it\n`)
  return true
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

interface Program {
  /** `@FOLDER@` in them is where they are. */
  readonly files: ReadonlyMap<string, string>
  readonly command: (folder: string) => readonly string[]
  readonly port: number
  readonly env?: NodeJS.ProcessEnv
  /** Default: it takes connections. */
  readonly ready?: () => Promise<boolean>
}

/** Starts a program with files of its own and waits until it is ready. */
export async function startProgram({ files, command, port, env = {}, ready = () => accepts(port) }: Program): Promise<Caller> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-caller-'))
  for (const [name, text] of files) writeFileSync(join(folder, name), text.replaceAll('@FOLDER@', folder))
  const [file = '', ...args] = command(folder)
  const child = spawn(file, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin`, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder } })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const deadline = Date.now() + 15_000
  while (!(await ready())) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${file} did not start:\n${text}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return {
    port,
    output: () => text,
    close: async () => {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 3_000)
      await ended
      clearTimeout(timer)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export const portOf = (facts: SnippetFacts): number => Number(facts.listen.split(':').at(-1))
