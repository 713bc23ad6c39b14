import { request } from 'node:http'

/** Bodies up to `/sink` and down from `/source` of the upstream of the endurance run, through a Postern. */

/** Sends so many bytes up and gives how many arrived. */
export function upload(port: number, token: string, bytes: number): Promise<number> {
  const piece = Buffer.alloc(64 * 1024, 'x')
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path: '/sink', method: 'POST', agent: false, headers: { authorization: `Bearer ${token}`, 'content-length': bytes } }, (answer) => {
      let text = ''
      answer.on('data', (chunk) => (text += chunk)).on('end', () => resolve(Number(text)))
    }).on('error', reject)
    let left = bytes
    const more = (): void => {
      while (left > 0) {
        const next = left < piece.length ? piece.subarray(0, left) : piece
        left -= next.length
        if (!sent.write(next)) return void sent.once('drain', more)
      }
      sent.end()
    }
    more()
  })
}

/** Fetches so many bytes and gives how many came. */
export function download(port: number, token: string, bytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: `/source/${bytes}`, agent: false, headers: { authorization: `Bearer ${token}` } }, (answer) => {
      let count = 0
      answer.on('data', (chunk: Buffer) => (count += chunk.length)).on('end', () => resolve(count)).on('error', reject)
    }).on('error', reject).end()
  })
}
