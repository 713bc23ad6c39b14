import { describe, expect, it } from 'vitest'
import { isBelowFloor, refuseUnsafeProcess, requirePatchedNode } from './node-safety.ts'

describe('the security floor', () => {
  it.each([
    ['26.12.1', false],
    ['26.12.0', true],
    ['26.10.0', true],
    ['26.13.0', false],
    ['24.22.1', false],
    ['24.22.0', true],
    ['24.23.0', false],
    ['25.9.9', true],
    ['22.99.0', true],
    ['27.0.0', false],
  ])('Node %s is below it: %s', (version, below) => {
    expect(isBelowFloor(version)).toBe(below)
  })

  it('refuses to start below it only when the config demands it', () => {
    expect(() => requirePatchedNode('26.10.0', false)).not.toThrow()
    expect(() => requirePatchedNode('26.12.1', true)).not.toThrow()
    expect(() => requirePatchedNode('26.10.0', true)).toThrow(/require_patched_node/)
  })
})

describe('a process that verifies less than it says', () => {
  it.each<[string, NodeJS.ProcessEnv, string[]]>([
    ['without certificate checks', { NODE_TLS_REJECT_UNAUTHORIZED: '0' }, []],
    ['with the lenient parser', {}, ['--insecure-http-parser']],
    ['with the lenient parser, by its other spelling', {}, ['--insecure_http_parser']],
    ['with the lenient parser from NODE_OPTIONS', { NODE_OPTIONS: '--max-old-space-size=99 --insecure-http-parser' }, []],
    ['with TLS 1.0', {}, ['--tls-min-v1.0']],
  ])('%s is refused', (_title, env, flags) => {
    expect(() => refuseUnsafeProcess(env, flags)).toThrow(/Unset|Remove/)
  })

  it.each<[NodeJS.ProcessEnv, string[]]>([[{}, []], [{ NODE_TLS_REJECT_UNAUTHORIZED: '1' }, []], [{ NODE_OPTIONS: '--max-old-space-size=99' }, ['--disable-sigusr1']]])('%j %j is not', (env, flags) => {
    expect(() => refuseUnsafeProcess(env, flags)).not.toThrow()
  })
})
