import { text } from 'node:stream/consumers'
import { safeTerminalText } from '../observe/safe-text.ts'

/** Where a command speaks: data to stdout, words for people to stderr. */
export interface Terminal {
  /** Data; a line break is added. */
  readonly out: (data: string) => void
  /** Resolves when the reader of `out` has taken what was written, for who writes more than memory holds. Absent where nothing waits. */
  readonly taken?: () => Promise<void>
  /** Words for people; silent with `--quiet`. Control characters of foreign text are shown, not obeyed. */
  readonly say: (words: string) => void
  /** Words that matter even with `--quiet`: why it failed. */
  readonly complain: (words: string) => void
  /** Writes text to stderr as it is: it was made safe already and may hold colours. */
  readonly print: (text: string) => void
  /** Whether stderr shows colours. */
  readonly color: boolean
  /** All of standard input. */
  readonly readInput: () => Promise<string>
  readonly interactive: boolean
  readonly paint: Paint
}

export type Color = 'green' | 'red' | 'yellow' | 'dim' | 'bold'

/** Colours a piece of text, or leaves it as it is. */
export type Paint = (color: Color, words: string) => string

/** Private-use characters stand for a colour until the text has been made safe, so that foreign text cannot bring escapes of its own. */
const MARKS: Readonly<Record<Color, readonly [mark: string, code: number]>> = { green: ['\ue001', 32], red: ['\ue002', 31], yellow: ['\ue003', 33], dim: ['\ue004', 2], bold: ['\ue005', 1] }
const END = '\ue000'

const rendered = (words: string): string =>
  Object.values(MARKS).reduce((result, [mark, code]) => result.replaceAll(mark, `\u001b[${code}m`), safeTerminalText(words, { lines: true })).replaceAll(END, '\u001b[0m')

export interface TerminalOptions {
  readonly quiet: boolean
  /** `--no-color` was given. */
  readonly plain: boolean
  readonly env: NodeJS.ProcessEnv
}

export function createTerminal({ quiet, plain, env }: TerminalOptions): Terminal {
  // https://no-color.org: any non-empty value.
  const color = !plain && !env['NO_COLOR'] && env['TERM'] !== 'dumb' && process.stderr.isTTY === true
  const complain = (words: string): void => void process.stderr.write(`${rendered(words)}\n`)
  return {
    out: (data) => void process.stdout.write(`${data}\n`),
    taken: () => (process.stdout.writableNeedDrain ? new Promise((resolve) => void process.stdout.once('drain', resolve)) : Promise.resolve()),
    say: quiet ? () => undefined : complain,
    complain,
    print: quiet ? () => undefined : (words) => void process.stderr.write(words),
    color,
    readInput: () => text(process.stdin),
    interactive: process.stdin.isTTY === true,
    paint: (name, words) => (color ? `${MARKS[name][0]}${words}${END}` : words),
  }
}
