import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keptResults, pagesOf } from '../bench/pages.ts'
import { COMMANDS } from '../src/cli/commands.ts'
import { loadConfig } from '../src/config/load.ts'
import { freePort } from './support/running-postern.ts'

const ROOT = join(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const README = read('README.md')

const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'bench/README.md', ...(readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }) as string[]).filter((file) => file.endsWith('.md')).map((file) => join('docs', file))]

describe('every page', () => {
  it.each(pages)('%s links only to files that are there', (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g)].map((match) => match[1] ?? '')
    expect(links.filter((link) => !existsSync(join(ROOT, dirname(page), link)))).toEqual([])
  })

  it.each(pages)('%s names only commands and scripts that exist', (page) => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const text = read(page)
    const commands = [...text.matchAll(/(?:npx |`|^ {4})postern ([a-z]+)/gm)].map((match) => match[1] ?? '')
    expect(commands.filter((command) => !(command in COMMANDS))).toEqual([])
    const runs = [...text.matchAll(/npm run ([a-z:]+)/g)].map((match) => match[1] ?? '')
    expect(runs.filter((script) => !(script in scripts))).toEqual([])
  })
})

describe('the numbers of the benchmark', () => {
  const results = keptResults()

  it('were measured', () => {
    expect(results.latest?.rows.length).toBeGreaterThan(0)
  })

  it.each([...pagesOf(results, read)])('%s shows those of the last runs that are kept', (file, text) => {
    expect(read(file)).toBe(text)
  })
})

describe('the configs of the README', () => {
  const blocks = [...README.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')

  it('are more than one', () => {
    expect(blocks.length).toBeGreaterThan(1)
  })

  it.each(blocks.map((block, index) => [index + 1, block] as const))('number %i is a complete file without a mistake', (_number, block) => {
    const directory = mkdtempSync(join(tmpdir(), 'postern-readme-'))
    writeFileSync(join(directory, 'postern.yaml'), block)
    expect(() => loadConfig({ file: join(directory, 'postern.yaml'), env: { CI_KEY_SHA256: 'ab'.repeat(32) } })).not.toThrow()
  })
})

describe('the first minute of the README', () => {
  const lines = [...README.matchAll(/^ {4}(curl -i .*?)(?:\s*\n\s*)?#\s*(\d{3})(.*)$/gm)].map((match) => [match[1]?.trim() ?? '', Number(match[2]), match[3] ?? ''] as const)
  let child: ChildProcess
  let port: number

  beforeAll(async () => {
    port = await freePort()
    child = spawn('npm', ['start', '--', '--port', String(port)], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: { ...process.env, NODE_ENV: 'development' } })
    let text = ''
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`npm start said nothing useful:\n${text}`)), 25_000)
      const look = (chunk: Buffer): void => {
        text += chunk.toString()
        if (!text.includes('Ctrl-C')) return
        clearTimeout(timer)
        resolve()
      }
      child.stdout?.on('data', look)
      child.stderr?.on('data', look)
    })
  })
  afterAll(async () => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM')
    await new Promise((resolve) => child.once('exit', resolve))
  })

  it('has lines to paste', () => {
    expect(lines.map(([, status]) => status)).toEqual([401, 200, 200])
  })

  it.each(lines)('%s answers %i', async (line, status, remark) => {
    const command = line.replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`)
    const { stdout } = await promisify(execFile)('bash', ['-c', command], { cwd: ROOT })
    expect(stdout).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    if (remark.includes('alice')) expect(stdout).toContain('"x-user-id": "alice"')
    expect(stdout).not.toContain('"admin"')
  })
})
