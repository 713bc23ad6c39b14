import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { Pair } from './certificates.ts'

/** Ways in which a dependency can be broken, seen from outside. */
export type GateFault =
  | 'none'
  | 'refused' // nobody listens, and what was open is gone
  | 'hanging' // connections are taken and nothing ever comes back; what was open falls silent for good
  | 'slow' // every answer comes whole, `lagMs` later
  | 'dripping' // one byte of the answer every `lagMs`
  | 'resetting' // a reset with the first byte
  | 'garbage' // bytes of no protocol
  | 'page' // a web page with status 200, as a captive portal gives it
  | 'flapping' // well and resetting by turns, every `flapMs`
  | 'tls' // a certificate of somebody else

export interface FaultyGate {
  readonly port: number
  /** From now on. Resolves when it is so. */
  readonly behave: (fault: GateFault) => Promise<void>
  /** Connections that are open now. */
  readonly connections: () => number
  readonly close: () => Promise<void>
}

export interface GateOptions {
  /** Loopback port of the dependency itself, which speaks without TLS. */
  readonly target: number
  /** Ends TLS here: with the right certificate, and with one that nobody trusts. */
  readonly tls?: { readonly right: Pair; readonly wrong: Pair }
  /** PostgreSQL asks for TLS with eight bytes of its own first. */
  readonly startTls?: boolean
  readonly lagMs?: number
  readonly flapMs?: number
}

interface Link { readonly raw: Socket; dead: boolean; stop: () => void }

const GARBAGE = Buffer.from('\x00\xff\x13\x37SSH-2.0-nobody\r\n\x80\x7f*-1\r\n\r\n', 'latin1')
const HTML = '<!doctype html><title>Welcome</title><p>Accept our terms to go on.'
const PAGE = `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${HTML.length}\r\n\r\n${HTML}`

/** Writes, and stops reading from where it came while the other side does not keep up. */
function pass(from: Socket, to: Socket, chunk: Buffer): void {
  if (!to.writable || to.write(chunk)) return
  from.pause()
  to.once('drain', () => from.resume())
}

/** Stands in front of a dependency on loopback and breaks it as a test says. */
export async function startFaultyGate({ target, tls, startTls = false, lagMs = 150, flapMs = 120 }: GateOptions): Promise<FaultyGate> {
  const contexts = tls && { right: createSecureContext({ key: tls.right.key, cert: tls.right.certificate }), wrong: createSecureContext({ key: tls.wrong.key, cert: tls.wrong.certificate }) }
  const links = new Set<Link>()
  let fault: GateFault = 'none'
  let down = false
  let flapping: NodeJS.Timeout | undefined

  const reset = (link: Link): void => void link.raw.resetAndDestroy()

  /** The answer, in the manner of the hour. */
  const answerTo = (link: Link, stream: Socket, backend: Socket): ((chunk: Buffer) => void) => {
    let dripped: Buffer = Buffer.alloc(0)
    const drip = setInterval(() => {
      if (dripped.length === 0 || link.dead) return
      const bytes = fault === 'dripping' ? 1 : dripped.length
      stream.write(dripped.subarray(0, bytes))
      dripped = dripped.subarray(bytes)
    }, lagMs)
    link.stop = () => clearInterval(drip)
    return (chunk) => {
      if (link.dead) return
      if (fault === 'dripping' || dripped.length > 0) dripped = Buffer.concat([dripped, chunk])
      else if (fault === 'slow') setTimeout(() => stream.writable && stream.write(chunk), lagMs)
      else pass(backend, stream, chunk)
    }
  }

  const relay = (link: Link, stream: Socket): void => {
    const backend = connect({ port: target, host: '127.0.0.1', noDelay: true })
    const end = (): void => {
      link.stop()
      backend.destroy()
      stream.destroy()
    }
    for (const side of [stream, backend]) side.on('error', () => undefined).on('close', end)
    stream.on('end', () => backend.end())
    backend.on('end', () => fault !== 'dripping' && fault !== 'slow' && !link.dead && stream.end())
    backend.on('data', answerTo(link, stream, backend))
    stream.on('data', (chunk: Buffer) => {
      if (link.dead) return
      if (fault === 'garbage') stream.write(GARBAGE)
      else if (fault === 'page') stream.write(PAGE)
      else if (fault === 'resetting') reset(link)
      else pass(stream, backend, chunk)
    })
  }

  const secured = (raw: Socket): Socket => (contexts ? new TLSSocket(raw, { isServer: true, secureContext: fault === 'tls' ? contexts.wrong : contexts.right }) : raw)

  const server = createServer({ noDelay: true }, (raw) => {
    const link: Link = { raw, dead: fault === 'hanging', stop: () => undefined }
    links.add(link)
    raw.on('error', () => undefined).on('close', () => links.delete(link))
    if (link.dead) return void raw.resume()
    if (down) return reset(link)
    if (fault === 'resetting') return void raw.once('data', () => reset(link))
    if (!startTls) return relay(link, secured(raw))
    raw.once('data', () => {
      raw.pause()
      raw.write('S')
      relay(link, secured(raw))
    })
  })

  const listen = async (port: number): Promise<number> => {
    for (let tries = 0; ; tries += 1) {
      try {
        server.listen(port, '127.0.0.1')
        await once(server, 'listening')
        return (server.address() as AddressInfo).port
      } catch (error) {
        if (tries === 50) throw error
        await wait(20)
      }
    }
  }
  const port = await listen(0)

  return {
    port,
    connections: () => links.size,
    behave: async (next) => {
      clearInterval(flapping)
      const before = fault
      fault = next
      down = false
      if (before === 'refused' && next !== 'refused') await listen(port)
      if (next === 'refused' && before !== 'refused') server.close()
      if (next === 'hanging') for (const link of links) link.dead = true
      if (next === 'refused' || next === 'resetting' || next === 'tls' || next === 'flapping') [...links].forEach(reset)
      if (next !== 'flapping') return
      down = true
      flapping = setInterval(() => {
        down = !down
        if (down) [...links].forEach(reset)
      }, flapMs)
    },
    close: async () => {
      clearInterval(flapping)
      for (const { raw } of links) raw.destroy()
      if (server.listening) await new Promise((resolve) => server.close(resolve))
    },
  }
}
