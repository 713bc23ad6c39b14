import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { describe, expect, it } from 'vitest'

const SRC = join(import.meta.dirname, '..', 'src')

/** Who may import whom: folders first, then packages. `node:` is named where it is allowed. */
const RULES: Readonly<Record<string, { readonly folders: readonly string[]; readonly packages: readonly string[] }>> = {
  base: { folders: [], packages: ['node:'] },
  model: { folders: ['base'], packages: [] },
  pipeline: { folders: ['base', 'model'], packages: [] },
  wire: { folders: ['base', 'model'], packages: ['node:'] },
  redis: { folders: ['base'], packages: ['ioredis'] },
  keys: { folders: ['base', 'model', 'redis'], packages: ['node:', 'ioredis', 'postgres', 'lru-cache', 'bcryptjs'] },
  authenticators: { folders: ['base', 'model', 'keys'], packages: ['node:', 'jose', 'lru-cache', 'oauth4webapi'] },
  limiters: { folders: ['base', 'model', 'redis'], packages: ['node:', 'ioredis', 'lru-cache'] },
  observe: { folders: ['base', 'model'], packages: ['node:', 'prom-client', 'pino'] },
  'faces/proxy': { folders: ['base', 'model', 'wire'], packages: ['node:', 'undici', 'http-proxy-3'] },
  'faces/forward-auth': { folders: ['base', 'model', 'wire'], packages: ['node:'] },
  'faces/ops': { folders: ['base', 'model', 'observe'], packages: ['node:', 'hono', '@hono/node-server'] },
  'faces/admin': { folders: ['base', 'model', 'wire', 'observe', 'keys'], packages: ['node:', 'hono', '@hono/node-server', 'zod'] },
  config: { folders: ['base', 'model', 'pipeline', 'wire', 'redis', 'keys', 'authenticators', 'limiters', 'observe'], packages: ['node:', 'yaml', 'zod', 'ioredis', 'undici'] },
  cli: { folders: ['base', 'model', 'pipeline', 'wire', 'redis', 'keys', 'authenticators', 'limiters', 'observe', 'config', 'faces/proxy', 'faces/forward-auth', 'faces/ops', 'faces/admin'], packages: ['node:', 'jose', 'hono', '@hono/node-server', 'yaml', 'zod', 'pino'] },
  main: { folders: ['cli'], packages: ['node:'] },
}

const FOLDERS = Object.keys(RULES)

const sources = (readdirSync(SRC, { recursive: true, encoding: 'utf8' }) as string[]).filter((file) => file.endsWith('.ts') && !/\.(test|contract)\.ts$/.test(file))

const folderOf = (file: string): string => (file === 'main.ts' ? 'main' : (FOLDERS.find((folder) => file.startsWith(`${folder}${sep}`)) ?? dirname(file)))

const specifiersOf = (file: string): string[] =>
  [...readFileSync(join(SRC, file), 'utf8').matchAll(/(?:^import[^'"]*|^export[^'"]*from\s*|\bimport\()\s*['"]([^'"]+)['"]/gm)].map((match) => match[1] ?? '')

const packageOf = (specifier: string): string => (specifier.startsWith('node:') ? 'node:' : specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/'))

describe('who may import whom', () => {
  it.each(sources)('%s keeps to the table', (file) => {
    const folder = folderOf(file)
    const rule = RULES[folder]
    expect(rule, `${folder} is not in the table`).toBeDefined()
    for (const specifier of specifiersOf(file)) {
      if (!specifier.startsWith('.')) {
        expect(rule?.packages, `${file} imports the package ${specifier}`).toContain(packageOf(specifier))
        continue
      }
      if (specifier.endsWith('/package.json')) continue
      const target = folderOf(relative(SRC, join(SRC, dirname(file), specifier)))
      if (target !== folder) expect(rule?.folders, `${file} imports ${specifier}`).toContain(target)
    }
  })
})

describe('what is imported lazily', () => {
  it('is a file of ours: of a package in CommonJS the bundle shows nothing but `default`', () => {
    const lazily = sources.flatMap((file) => [...readFileSync(join(SRC, file), 'utf8').matchAll(/\bimport\('([^.'][^']*)'\)/g)].map((match) => match[1] ?? ''))
    expect(lazily.filter((specifier) => !specifier.startsWith('node:'))).toEqual(['postgres']) // which is an ES module
  })
})

describe('the pipe', () => {
  it('has two doors: nothing else in the pipeline is asynchronous', () => {
    const asynchronous = sources.filter((file) => folderOf(file) === 'pipeline' && /\basync\b|Promise\b/.test(readFileSync(join(SRC, file), 'utf8')))
    expect(asynchronous.map((file) => file.replace(`pipeline${sep}`, '')).sort()).toEqual([
      'ask.ts', // the first door
      'authenticate.ts', // the first door, one use after another
      'decide.ts', // the line itself
      'fail-closed.ts', // wraps the line
      'failure-budget.ts', // the second door, used after a rejection
      'limit.ts', // the second door
      'observe-only.ts', // wraps the line
    ])
  })

  it('has one writer: writeHead is called in wire/write.ts alone', () => {
    // The ops listener is not on the data plane: it has no decision to render.
    const writers = sources.filter((file) => folderOf(file) !== 'faces/ops' && /\.writeHead\(/.test(readFileSync(join(SRC, file), 'utf8')))
    expect(writers).toEqual([join('wire', 'write.ts')])
  })

  it('has one place where the heads of other answers are put together', () => {
    const makers = sources.filter((file) => /`HTTP\/1\.1 \$\{[^`]*\\r\\n/.test(readFileSync(join(SRC, file), 'utf8')))
    expect(makers).toEqual([join('wire', 'answer-text.ts')])
  })

  it('has one exit: process.exit stands in main.ts alone', () => {
    expect(sources.filter((file) => /process\.exit\(/.test(readFileSync(join(SRC, file), 'utf8')))).toEqual(['main.ts'])
  })
})

describe('every source file', () => {
  it.each(sources)('%s has at most 250 lines and a name that says what it is', (file) => {
    expect(readFileSync(join(SRC, file), 'utf8').split('\n').length).toBeLessThanOrEqual(251)
    expect(file).not.toMatch(/util|helper|common|shared|misc|manager/)
  })
})
