import type { Socket } from 'node:net'
import { canonicalIp, type CidrSet } from '../../base/cidr.ts'
import type { DurationMs } from '../../base/time.ts'
import { parseProxyHeader } from '../../wire/proxy-protocol.ts'

export interface ProxyHeaderHooks {
  /** Who may speak the PROXY protocol, which is everybody who may connect at all. */
  readonly trusted: CidrSet
  readonly timeoutMs: DurationMs
  /** The header was good: `ip` is who stands behind the proxy. The bytes after it are back in the socket. */
  readonly onNamed: (socket: Socket, ip: string) => void
  readonly onRefused: (reason: string) => void
}

/**
 * Takes the PROXY protocol header from the front of a connection, before any TLS or HTTP is read (T31). Whoever is not trusted, says
 * nothing in time or something else, or does not name the party behind, is hung up on: there is no protocol yet to answer in.
 */
export function takeProxyHeader(socket: Socket, { trusted, timeoutMs, onNamed, onRefused }: ProxyHeaderHooks): void {
  const refuse = (reason: string): void => {
    clearTimeout(timer)
    socket.destroy()
    onRefused(reason)
  }
  const timer = setTimeout(refuse, timeoutMs, 'no header in time')
  const onError = (): void => refuse('the connection broke')
  socket.once('error', onError)
  socket.once('close', () => clearTimeout(timer))
  const peer = canonicalIp(socket.remoteAddress ?? '')
  if (peer === undefined || !trusted.contains(peer)) return refuse('not a trusted proxy')

  let seen: Buffer = Buffer.alloc(0)
  const onReadable = (): void => {
    const chunk: Buffer | null = socket.read()
    if (chunk === null) return
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
    const header = parseProxyHeader(seen)
    if (header.kind === 'incomplete') return
    socket.off('readable', onReadable)
    if (header.kind === 'invalid') return refuse(header.reason)
    const ip = header.local ? peer : header.source
    if (ip === undefined) return refuse('the proxy did not name its peer')
    clearTimeout(timer)
    socket.off('error', onError)
    const rest = seen.subarray(header.consumed)
    if (rest.length > 0) socket.unshift(rest)
    onNamed(socket, ip)
  }
  socket.on('readable', onReadable)
}
