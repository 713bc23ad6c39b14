import { type KeptLines, type ParsedHead, parseHead } from './answer-head-syntax.ts'

/** A longer head is read each time and kept by nobody, bytes. */
const LONGEST = 1_024
const BLANK_LINE = '\r\n\r\n'

/** Whether two heads say the same, so that the bytes of one are worth keeping. */
function areSame(some: ParsedHead, other: ParsedHead): boolean {
  if (some.raw.length !== other.raw.length) return false
  for (let index = 0; index < some.raw.length; index += 1) if (some.raw[index] !== other.raw[index]) return false
  return true
}

/**
 * The heads of one connection: one that comes again, byte for byte, is recognised by its bytes and not read again. Those that come again are many,
 * since within a second an API often says the same of answers that differ in their bodies alone.
 */
export class KeptHead {
  private readonly lines: KeptLines = []
  private last: ParsedHead | undefined
  /** The bytes of the last head, the empty line included, once it has come twice. */
  private bytes: Buffer | undefined

  /** Bytes of the head that `same` gives. */
  get length(): number {
    return this.bytes?.length ?? 0
  }

  /** The last head, if these bytes go on with it. */
  same(bytes: Buffer, at: number): ParsedHead | undefined {
    const kept = this.bytes
    return kept && bytes.length - at >= kept.length && bytes.compare(kept, 0, kept.length, at, at + kept.length) === 0 ? this.last : undefined
  }

  /** Reads a head up to before its empty line. @throws {UpstreamProtocolError} */
  read(text: string): ParsedHead {
    const { last } = this
    this.last = undefined
    this.bytes = undefined
    const head = parseHead(text, this.lines)
    // A cookie is a secret, and another one each time.
    if (head.cookie || text.length > LONGEST) return head
    // Two spellings may be read as one and the same head: what is compared is what came now.
    if (last && areSame(head, last)) this.bytes = Buffer.from(text + BLANK_LINE, 'latin1')
    this.last = head
    return head
  }
}
