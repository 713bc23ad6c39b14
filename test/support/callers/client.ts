import { connect } from 'node:net'

/** What a client received, and nothing more. */
export interface Received {
  readonly status: number
  /** Lower-case names; repeated fields joined. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** The address that clients come from: not one of those that Postern trusts. */
export const CLIENT = '127.0.0.2'

function read(text: string): Received {
  const end = text.indexOf('\r\n\r\n')
  const [start = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    headers.set(name, [headers.get(name), line.slice(colon + 1).trim()].filter((part) => part !== undefined).join(', '))
  }
  const rest = text.slice(end + 4)
  const chunked = headers.get('transfer-encoding') === 'chunked'
  return { status: Number(start.split(' ')[1]), headers, body: chunked ? rest.replace(/(^|\r\n)[0-9a-fA-F]+\r\n/g, '').trimEnd() : rest }
}

/** Whether the text holds a whole answer already: some peers keep a connection open for a while that they say they close. */
function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return false
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(text.slice(0, end + 2))?.[1]
  return text.startsWith('HTTP/1.1 101 ') || (length !== undefined && text.length >= end + 4 + Number(length))
}

/** Sends bytes from the client's address and reads one answer, to its end. */
export function exchange(port: number, bytes: string): Promise<Received> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect({ port, host: '127.0.0.1', localAddress: CLIENT }, () => socket.write(bytes))
    const done = (): void => {
      socket.destroy()
      if (text.includes('\r\n\r\n')) resolve(read(text))
      else reject(new Error(`no answer: ${JSON.stringify(text)}`))
    }
    socket.setTimeout(4_000, done)
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (isWhole(text)) done()
    })
    socket.on('end', done)
    socket.on('error', () => done())
  })
}
