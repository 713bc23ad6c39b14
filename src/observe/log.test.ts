import { describe, expect, it } from 'vitest'
import type { LineWriter } from './line-writer.ts'
import { createLog, type LogOptions } from './log.ts'

const nothing = (): void => undefined

function recording(options: Partial<LogOptions> = {}): { readonly lines: string[]; readonly log: ReturnType<typeof createLog> } {
  const lines: string[] = []
  const writer: LineWriter = { write: (line) => lines.push(line), writeLater: (line) => lines.push(line()), settle: nothing, flush: nothing, close: async () => undefined }
  return { lines, log: createLog({ format: 'json', level: 'debug', version: '1', color: false, writer, ...options }) }
}

const HOSTILE: readonly [string, string][] = [
  ['a line feed', 'a\nb'], ['a carriage return', 'a\rb'], ['an escape sequence', '\u001b[2J'], ['a line separator', '\u2028'], ['a bidirectional override', '\u202eevil'],
  ['a C1 control', '\u009b31m'], ['DEL', '\u007f'], ['a quote and a brace', '"}'], ['a byte order mark', '\ufeff'], ['a zero-width space', '\u200b'],
]

describe('a log line', () => {
  it('has the level, the slug and the message under dotted names', () => {
    const { lines, log } = recording()
    log.write('warn', 'reload_rejected', 'the old config stays', { file: 'postern.yaml' })
    expect(JSON.parse(lines[0]!)).toMatchObject({ 'log.level': 'warn', 'event.code': 'reload_rejected', message: 'the old config stays', file: 'postern.yaml', 'service.name': 'postern' })
  })

  it.each(HOSTILE)('with %s is one line in which nothing acts, as JSON and for people', (_title, text) => {
    for (const format of ['json', 'pretty'] as const) {
      const { lines, log } = recording({ format })
      log.write('info', 'x', text, { [text]: text })
      expect(lines).toHaveLength(1)
      // oxlint-disable-next-line no-control-regex -- they are what is looked for
      expect(lines[0]).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200b\u2028\u202e\ufeff]/)
      if (format === 'json') expect(JSON.parse(lines[0]!)).toMatchObject({ message: text, [text]: text })
    }
  })

  it('holds at most 1 KiB of any value', () => {
    const { lines, log } = recording()
    log.write('info', 'x', 'm'.repeat(5_000), { deep: { text: 'v'.repeat(5_000) }, list: Array.from({ length: 999 }, () => 'x') })
    const record = JSON.parse(lines[0]!)
    expect(record.message).toHaveLength(1_025)
    expect(record.deep.text).toHaveLength(1_025)
    expect(record.list).toHaveLength(50)
  })

  it.each([
    ['a member named authorization', { headers: { Authorization: 'Bearer abcdefghij' } }],
    ['a cookie', { headers: { cookie: 'a=abcdefghij' } }],
    ['an API key', { 'x-api-key': 'abcdefghij' }],
    ['a client secret', { client_secret: 'abcdefghij' }],
    ['a token in the message of an error', { error: new Error('bad token eyJabcdefghij.eyJx.abcdefghij') }],
    ['a bearer token in free text', { detail: 'sent Bearer abcdefghij' }],
    ['the cause of a cause', { error: new Error('x', { cause: new Error('eyJabcdefghij.x.y') }) }],
  ])('cuts out %s', (_title, fields) => {
    const { lines, log } = recording()
    log.write('error', 'x', 'm', fields)
    expect(lines[0]).not.toContain('abcdefghij')
    expect(lines[0]).toContain('[redacted]')
  })

  it('below the level is not written', () => {
    const { lines, log } = recording({ level: 'warn' })
    log.write('info', 'x', 'm')
    log.setLevel('info')
    log.write('info', 'y', 'm')
    expect(lines.map((line) => JSON.parse(line)['event.code'])).toEqual(['y'])
  })
})
