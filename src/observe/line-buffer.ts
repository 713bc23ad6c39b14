/** Whole lines that wait to be written, as bytes outside of V8's heap: as text they would be copied at every collection while they wait. */
export interface LineBuffer {
  /** Adds a line and its line break. */
  readonly append: (line: string) => void
  /** Bytes that wait. */
  readonly length: () => number
  /** Gives all of it and is empty. What was given is written upon only after the next `take`. */
  readonly take: () => Buffer
}

/** Room for some dozens of lines, bytes. */
const ROOM = 32 * 1_024
/** One that grew beyond is let go once it has been taken, bytes. */
const MOST_KEPT = 256 * 1_024
/** Bytes of UTF-8 that one unit of UTF-16 becomes at most. */
const WIDEST = 3

function grown(bytes: Buffer, used: number, wanted: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.max(wanted, 2 * bytes.length, ROOM))
  bytes.copy(larger, 0, 0, used)
  return larger
}

export function createLineBuffer(): LineBuffer {
  // Two in turns: one is written to the file while the other one fills.
  let [filling, other]: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(0)]
  let used = 0
  return {
    append: (line) => {
      const wanted = used + line.length * WIDEST + 1
      if (wanted > filling.length) filling = grown(filling, used, wanted)
      used += filling.write(line, used, 'utf8')
      used = filling.writeUInt8(0x0a, used)
    },
    length: () => used,
    take: () => {
      const taken = filling.subarray(0, used)
      const next = other
      other = filling.length > MOST_KEPT ? Buffer.alloc(0) : filling
      filling = next
      used = 0
      return taken
    },
  }
}
