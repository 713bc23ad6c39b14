import { pino } from 'pino'
import type { LineWriter } from './line-writer.ts'
import { cleaned, escapeUnsafe, safeJson, safeTerminalText } from './safe-text.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** The operational log: what happens to Postern itself. Requests are in the audit log. */
export interface Log {
  /** `code` is a stable slug. Never a secret in `fields`; credentials that slip in are cut out. */
  readonly write: (level: Exclude<LogLevel, 'silent'>, code: string, message: string, fields?: Readonly<Record<string, unknown>>) => void
  readonly setLevel: (level: LogLevel) => void
}

export interface LogOptions {
  readonly format: 'json' | 'pretty'
  readonly level: LogLevel
  readonly writer: LineWriter
  readonly version: string
  /** Pretty only. */
  readonly color: boolean
}

const COLORS: Readonly<Record<string, string>> = { debug: '\u001b[2m', info: '\u001b[36m', warn: '\u001b[33m', error: '\u001b[31m' }
const RESET = '\u001b[0m'
const MARKS: Readonly<Record<string, string>> = { debug: '·', info: '·', warn: '!', error: '✗' }

const shown = (value: unknown): string => (typeof value === 'string' ? value : safeJson(value))

/** `12:04:31 ! reload_rejected  the old config stays  file=postern.yaml`, for people. */
function prettyLine(record: Readonly<Record<string, unknown>>, color: boolean): string {
  const { '@timestamp': at, 'log.level': level, 'event.code': code, message, 'service.name': _name, 'service.version': _version, ...fields } = record
  const name = String(level)
  const mark = color ? `${COLORS[name] ?? ''}${MARKS[name] ?? '·'}${RESET}` : (MARKS[name] ?? '·')
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${shown(value)}`).join(' ')
  return `${String(at).slice(11, 19)} ${mark} ${safeTerminalText(`${String(message)}  [${String(code)}]${rest === '' ? '' : `  ${rest}`}`)}`
}

/** pino gives finished JSON; people get it taken apart again. */
function parsed(line: string): Readonly<Record<string, unknown>> {
  const record: unknown = JSON.parse(line)
  return typeof record === 'object' && record !== null ? { ...record } : {}
}

/** JSON of one line per event with dotted names, or lines for people. Control characters never reach the terminal (T58). */
export function createLog({ format, level, writer, version, color }: LogOptions): Log {
  const destination = {
    write: (line: string): void => writer.write(format === 'json' ? escapeUnsafe(line.trimEnd()) : prettyLine(parsed(line), color)),
  }
  const logger = pino(
    {
      level,
      base: { 'service.name': 'postern', 'service.version': version },
      messageKey: 'message',
      timestamp: () => `,"@timestamp":"${new Date().toISOString()}"`,
      formatters: {
        level: (label) => ({ 'log.level': label }),
      },
    },
    destination,
  )
  return {
    write: (at, code, message, fields = {}) => logger[at](cleaned({ ...fields, 'event.code': code }), String(cleaned(message))),
    setLevel: (next) => {
      logger.level = next
    },
  }
}
