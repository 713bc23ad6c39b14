import { createRequestId } from '../../wire/request-id.ts'
import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { holdEarlyBytes } from './early-bytes.ts'
import { type FaceParts, originOf } from './exchange.ts'
import type { Handshake } from './handshake.ts'
import { judge, type Judged } from './judge.ts'
import { isLeaving } from './linger.ts'
import { endsAfterAnswers } from './node-client.ts'
import { openTunnel } from './open-tunnel.ts'
import { isEncrypted } from './peer.ts'
import type { Tunnels } from './tunnels.ts'
import { type Allowed, answer, refuse, type Upgrading } from './upgrading.ts'

async function act(upgrading: Upgrading, { request, requestId, decision }: Judged, open: (allowed: Allowed) => Promise<void>): Promise<void> {
  if (decision.outcome === 'deny') return refuse(upgrading, { denial: decision.denial, requestId, limits: decision.limits, cors: decision.route?.cors })
  if (decision.outcome === 'answer') return answer(upgrading, decision.reply)
  // Node gives another stream when the request has a body; describe() has refused that.
  if (!request || !(upgrading.client instanceof Socket)) throw new Error('an upgrade that cannot be was allowed')
  return open({ ...upgrading, client: upgrading.client, request, decision })
}

/** Counts the socket in, and out when it is closed, as a tunnel or before. */
function track(parts: FaceParts, sockets: Set<Duplex>, socket: Duplex): void {
  sockets.add(socket)
  parts.inFlight.enter()
  parts.observer.opened('request', 'proxy')
  socket.once('close', () => {
    sockets.delete(socket)
    parts.observer.closed('request', 'proxy')
    parts.inFlight.leave()
  })
}

export interface Upgrade {
  readonly upgrade: (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void
  readonly connect: (incoming: IncomingMessage, socket: Duplex) => void
  /** Cuts off what is still being decided or agreed on; the server does not know these sockets any more. */
  readonly cut: () => void
}

/**
 * The path of an upgrade: decided like any request, before the upstream hears of it, then a tunnel. CONNECT takes the same path and is
 * refused on it. Never throws.
 */
export function createUpgrade(parts: FaceParts, tunnels: Tunnels): Upgrade {
  const sockets = new Set<Duplex>()
  let library: Promise<Handshake> | undefined
  const open = async (allowed: Allowed): Promise<void> => {
    // Most deployments never see a WebSocket; the library costs memory only then.
    library ??= import('./handshake-library.ts').then(({ handshakeOfLibrary }) => handshakeOfLibrary())
    const handshake = await library
    if (!allowed.early.gone()) openTunnel(allowed, handshake, tunnels)
  }

  const begin = (incoming: IncomingMessage, socket: Duplex, head: Buffer, upgrade: boolean): void => {
    // Node has taken its own listeners away: without one a reset ends the process (T52).
    socket.on('error', () => socket.destroy())
    if (isLeaving(incoming.socket)) {
      socket.destroy()
      return
    }
    // Answered now, it would be taken for the answer to a request before it. Its connection ends behind those answers.
    if (endsAfterAnswers(incoming.socket)) {
      socket.resume()
      return
    }
    track(parts, sockets, socket)
    const upgrading: Upgrading = { incoming, client: socket, early: holdEarlyBytes(socket, head), parts, gateway: parts.gateway(), origin: originOf(incoming), startedAt: performance.now() }
    const faulted = (error: unknown): void => {
      parts.observer.faulted(error)
      refuse(upgrading, { denial: { kind: 'denial', code: 'internal' }, requestId: createRequestId(), limits: [] })
      socket.end()
    }
    judge({
      asking: { message: incoming, peer: parts.peers.of(incoming.socket), encrypted: isEncrypted(incoming.socket) }, parts, gateway: upgrading.gateway, upgrade,
      act: (judged) => {
        if (!upgrading.early.gone()) act(upgrading, judged, open).catch(faulted)
      },
    })
  }

  return {
    upgrade: (incoming, socket, head) => begin(incoming, socket, head, true),
    connect: (incoming, socket) => begin(incoming, socket, Buffer.alloc(0), false),
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}
