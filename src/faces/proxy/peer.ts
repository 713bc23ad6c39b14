import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { UNIX_PEER } from '../../wire/client-address.ts'
import type { ListenerSettings } from './settings.ts'

/** Who is at the other end of a connection. */
export interface Peers {
  /** Says who stands behind a connection, instead of the proxy that opened it. */
  readonly name: (socket: Socket, ip: string) => void
  /** The party that the PROXY protocol named, the TCP peer, or `unix`; undefined when nobody can say. */
  readonly of: (socket: Socket) => string | undefined
}

/** Both ends of a connection are unique while it is open, and the same under TLS, where the request has another socket object. */
const keyOf = ({ remoteAddress, remotePort, localPort }: Socket): string => `${remoteAddress} ${remotePort} ${localPort}`

export function createPeers({ address, proxyProtocol }: ListenerSettings): Peers {
  const named = new Map<string, string>()
  return {
    name: (socket, ip) => {
      const key = keyOf(socket)
      named.set(key, ip)
      socket.once('close', () => named.delete(key))
    },
    of: (socket) => {
      if ('path' in address) return UNIX_PEER
      // With the PROXY protocol a connection that nobody named has no peer, and is refused for it.
      return proxyProtocol ? named.get(keyOf(socket)) : socket.remoteAddress
    },
  }
}

/** Whether the connection itself is TLS. */
export const isEncrypted = (socket: Socket): boolean => socket instanceof TLSSocket
