import { readRequestHead, readRequestLine, type RequestFields, type RequestHead } from '../../wire/request-head.ts'

const LF = 0x0a, CR = 0x0d
const LINE_END = 2, BLANK_LINE = 4

/** The field lines of a client's last request: most clients say the same again on a connection, and nothing of it need be looked at. */
export class KeptFields {
  private fields: RequestFields | undefined
  /** Their bytes, from the second line to behind the empty one, once they have come twice. */
  private bytes: Buffer | undefined

  /** What a client says of itself is a secret. */
  forget(): void {
    this.fields = undefined
    this.bytes = undefined
  }

  /** The head in bytes that are nothing but one, if its field lines are the kept ones. `most`: bytes of a head. */
  same(bytes: Buffer, most: number): RequestHead | undefined {
    const { fields, bytes: kept } = this
    if (!fields || !kept || bytes.length > most) return undefined
    const end = bytes.length - kept.length
    if (end < LINE_END || bytes[end - 1] !== LF || bytes[end - 2] !== CR || kept.compare(bytes, end) !== 0) return undefined
    const line = bytes.toString('latin1', 0, end - LINE_END)
    return line.includes('\n') ? undefined : readRequestLine(line, fields)
  }

  /**
   * Reads a head.
   *
   * @param text  up to before its empty line, Latin-1
   * @param bytes  begin with it
   * @returns undefined for one that is not ordinary
   */
  read(text: string, bytes: Buffer): RequestHead | undefined {
    const { fields } = this
    const head = readRequestHead(text, fields)
    if (!head) return undefined
    // What is said for the first time may be said for the last.
    if (head.fields !== fields) this.bytes = undefined
    else this.bytes ??= Buffer.from(bytes.subarray(text.length - fields.text.length + LINE_END, text.length + BLANK_LINE))
    this.fields = head.fields
    return head
  }
}
