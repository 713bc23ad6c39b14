import { fieldLines } from './field-lines.ts'
import { isNamed } from './headers.ts'

/** The header list of an answer that is relayed, without framing but `Content-Length`. */
export interface AnswerLines {
  /** Name, value, name, value, … */
  readonly list: () => string[]
  /** Each with its CRLF. @throws {TypeError} when a part would break out of its place */
  readonly text: () => string
  /** It has a length. */
  readonly sized: boolean
  /** It has a date. */
  readonly dated: boolean
}

/** Whether a flat list has a field of this name; `wanted` is lower-case. */
export function hasField(flat: readonly string[], wanted: string): boolean {
  for (let index = 0; index < flat.length; index += 2) if (isNamed(flat[index] ?? '', wanted)) return true
  return false
}

/** A part of such a list that may be written again and again. */
class Lines implements AnswerLines {
  readonly sized: boolean
  readonly dated: boolean
  private readonly flat: readonly string[]
  private written: string | undefined

  constructor(flat: readonly string[]) {
    this.flat = flat
    this.sized = hasField(flat, 'content-length')
    this.dated = hasField(flat, 'date')
  }

  list(): string[] {
    return [...this.flat]
  }

  text(): string {
    return (this.written ??= fieldLines(this.flat))
  }
}

/** One part behind another. */
class Joined implements AnswerLines {
  private readonly first: AnswerLines
  private readonly ours: readonly string[]

  constructor(first: AnswerLines, ours: readonly string[]) {
    this.first = first
    this.ours = ours
  }

  get sized(): boolean {
    return this.first.sized
  }

  get dated(): boolean {
    return this.first.dated
  }

  list(): string[] {
    return [...this.first.list(), ...this.ours]
  }

  text(): string {
    return this.first.text() + fieldLines(this.ours)
  }
}

/** A list as it is. */
export const answerLines = (flat: readonly string[]): AnswerLines => new Lines(flat)

/** Lines with some of ours behind them, which have neither a length nor a date. */
export const withOurs = (lines: AnswerLines, ours: readonly string[]): AnswerLines => new Joined(lines, ours)
