import { open } from 'node:fs/promises'

/** A line of a file. */
export interface FileLine {
  /** Counts from 1. */
  readonly number: number
  readonly text: string
}

/** What no line of ours reaches; a file without line ends must not be read into memory whole. */
const MAX_LINE_BYTES = 1_048_576
const CHUNK_BYTES = 65_536

/** The file has a line that is too long to be one. */
export class LineTooLong extends Error {
  readonly line: number
  constructor(line: number) {
    super(`line ${line} is longer than ${MAX_LINE_BYTES} bytes`)
    this.name = 'LineTooLong'
    this.line = line
  }
}

/**
 * Reads a file line by line, with the memory of one of them. Line ends are `\n` or `\r\n`.
 *
 * @throws {LineTooLong}, and whatever opening and reading say
 */
export async function* fileLines(path: string): AsyncGenerator<FileLine> {
  const file = await open(path)
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  let rest: Buffer = Buffer.alloc(0)
  let number = 0
  const line = (bytes: Buffer): FileLine => ({ number: (number += 1), text: bytes.toString('utf8').replace(/\r$/, '') })
  try {
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES)
      if (bytesRead === 0) break
      // A copy: what is left of it outlives the next read.
      const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)])
      let from = 0
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
        yield line(bytes.subarray(from, end))
        from = end + 1
      }
      rest = bytes.subarray(from)
      if (rest.length > MAX_LINE_BYTES) throw new LineTooLong(number + 1)
    }
    if (rest.length > 0) yield line(rest)
  } finally {
    await file.close()
  }
}
