import { afterEach, describe, expect, it } from 'vitest'
import { takeConsole } from './take-console.ts'

describe('words of libraries', () => {
  const said: (readonly [string, string, string])[] = []
  let giveBack = (): void => undefined
  afterEach(() => {
    giveBack()
    said.length = 0
  })
  const take = (): void => {
    giveBack = takeConsole({ write: (level, code, message) => void said.push([level, code, message]) })
  }

  it('become lines of the log, formatted as the console would', () => {
    take()
    console.warn('[WARN] %s has no password', 'default')
    console.error('failed:', { code: 7 })
    console.log('by the way')
    expect(said).toEqual([['warn', 'library', '[WARN] default has no password'], ['error', 'library', 'failed: { code: 7 }'], ['info', 'library', 'by the way']])
  })

  it('are cut where they would flood it', () => {
    take()
    console.error('x'.repeat(1_000_000))
    expect(said[0]?.[2]).toHaveLength(2_000)
  })

  it('and warnings of Node are lines as well, and are printed nowhere else', async () => {
    take()
    process.emitWarning('this is old', 'DeprecationWarning')
    await expect.poll(() => said).toEqual([['warn', 'node_warning', 'this is old']])
    expect(process.listeners('warning')).toHaveLength(1)
  })

  it('leave everything as it was when the console is given back', () => {
    const [warn, listeners] = [console.warn, process.listeners('warning')]
    take()
    giveBack()
    expect([console.warn, process.listeners('warning')]).toEqual([warn, listeners])
  })
})
