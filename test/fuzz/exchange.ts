import { connect } from 'node:net'

/** Bytes as Latin-1 text, cut at these places; each piece goes out in a turn of the event loop of its own. */
export interface Script {
  readonly text: string
  readonly cuts: readonly number[]
}

export function piecesOf({ text, cuts }: Script): Buffer[] {
  const bytes = Buffer.from(text, 'latin1')
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b)
  return [...places, bytes.length].map((end, index) => bytes.subarray(places[index - 1] ?? 0, end)).filter((piece) => piece.length > 0)
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Writes all pieces; stops where the other side does. */
export async function writePieces(socket: { readonly writable: boolean; write: (piece: Buffer) => unknown }, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    if (!socket.writable) return
    socket.write(piece)
    await turn()
  }
}

/** One connection of a client that says what it likes. */
export interface Talk {
  /** All that came back so far. */
  readonly received: () => string
  /** Whether the other side has ended the connection, or reset it. */
  readonly ended: () => boolean
  readonly destroy: () => void
}

/** Connects and writes. Never rejects: a reset is an end. */
export async function talk(port: number, script: Script): Promise<Talk> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let received = ''
  let ended = false
  for (const event of ['error', 'close', 'end']) socket.on(event, () => (ended = true))
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')))
  await new Promise<void>((resolve) => socket.once('connect', resolve).once('close', () => resolve()))
  await writePieces(socket, piecesOf(script))
  return { received: () => received, ended: () => ended, destroy: () => void socket.destroy() }
}

/** Waits until a number stays the same for a while. All parties live in this process, so what is silent now has nothing to say. */
export async function quiet(measure: () => number): Promise<void> {
  for (let same = 0, before = measure(); same < 3; same += 1) {
    await new Promise((resolve) => setTimeout(resolve, 2))
    const now = measure()
    if (now !== before) same = -1
    before = now
  }
}
