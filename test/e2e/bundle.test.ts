import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-bundle-'))
  mkdirSync(join(folder, 'src'))
  for (const name of ['scripts/build.cjs', 'scripts/bundle-packages.cjs', 'package.json']) cpSync(join(ROOT, name), join(folder, name))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Exit code of the build, as npm calls it in a life-cycle event. */
const build = (event: string): number | null => spawnSync(process.execPath, ['scripts/build.cjs'], { cwd: folder, env: { PATH: process.env['PATH'], npm_lifecycle_event: event }, stdio: 'ignore' }).status
const withPackages = (): void => symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
const source = (text: string): void => writeFileSync(join(folder, 'src', 'main.ts'), text)

describe('the bundle', () => {
  it('is built at install', () => {
    withPackages()
    source('console.log(1)')
    expect(build('prepare')).toBe(0)
    expect(existsSync(join(folder, 'dist', '.stamp'))).toBe(true)
  })

  it('fails the install when a source file is missing, and leaves no half of it', () => {
    withPackages()
    source("import('./gone.ts')")
    expect(build('prepare')).toBe(1)
    expect(existsSync(join(folder, 'dist'))).toBe(false)
  })

  it('is done without where esbuild is missing, at install and nowhere else', () => {
    source('console.log(1)')
    expect(build('prepare')).toBe(0)
    expect(build('build')).toBe(1)
  })
})
