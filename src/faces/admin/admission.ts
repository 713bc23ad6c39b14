import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { digestsEqual, sha256 } from '../../base/bytes.ts'
import { canonicalIp, partitionOfIp } from '../../base/cidr.ts'
import type { Clock } from '../../base/time.ts'
import type { Observer } from '../../model/event.ts'
import { problem } from './problem.ts'

/** Who may come in. */
export interface AdmissionOptions {
  /** Not empty. */
  readonly token: string
  /** Names that the face may be asked by, besides `localhost` and IP addresses; lower-case, without port. */
  readonly hosts: readonly string[]
  readonly clock: Clock
  readonly observer: Observer
}

/** Why a request may not come in, or undefined. */
export interface Admission {
  /** By the token that it carries. */
  readonly admit: (incoming: IncomingMessage) => Response | undefined
  /** Only where it comes from: for pages, which have sessions of their own. */
  readonly checkOrigin: (incoming: IncomingMessage) => Response | undefined
  /** A token that was typed; counted against guesses like any other. */
  readonly checkTyped: (incoming: IncomingMessage, token: string) => Response | undefined
}

const WINDOW_MS = 60_000
const WRONG_TOKENS = 10
const MAX_PEERS = 1_000

const BEARER = /^bearer +([\x21-\x7e]{1,1024})$/i

interface Window { readonly since: number; readonly wrong: number }

/** Host without its port, lower-case; undefined when it is missing or repeated. */
function hostOf({ headersDistinct }: IncomingMessage): string | undefined {
  const [host, ...more] = headersDistinct['host'] ?? []
  return host === undefined || more.length > 0 ? undefined : host.toLowerCase().replace(/:\d{1,5}$/, '')
}

/**
 * A page that had its name point here (DNS rebinding) comes with that name as Host, and any page of another origin with an Origin or
 * Sec-Fetch-Site that says so. An address cannot be rebound.
 */
function strangeOrigin(incoming: IncomingMessage, hosts: ReadonlySet<string>): string | undefined {
  const host = hostOf(incoming)
  if (host === undefined || !(hosts.has(host) || isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0)) return 'This name is not one that the admin API is asked by; add it to admin.hosts.'
  const [origin, ...more] = incoming.headersDistinct['origin'] ?? []
  const own = incoming.headers.host?.toLowerCase()
  if (more.length > 0 || (origin !== undefined && origin !== `http://${own}` && origin !== `https://${own}`)) return 'Pages of other origins may not use the admin API.'
  const site = incoming.headers['sec-fetch-site']
  return site === 'cross-site' || site === 'same-site' ? 'Pages of other origins may not use the admin API.' : undefined
}

/** Wrong tokens per peer and minute. The map is bounded: beyond, the oldest window is forgotten. */
function createThrottle(clock: Clock): { readonly waitMs: (peer: string) => number; readonly failed: (peer: string) => void } {
  const windows = new Map<string, Window>()
  const current = (peer: string): Window => {
    const window = windows.get(peer)
    const now = clock()
    return window && now >= window.since && now < window.since + WINDOW_MS ? window : { since: now, wrong: 0 }
  }
  return {
    waitMs: (peer) => {
      const { since, wrong } = current(peer)
      return wrong < WRONG_TOKENS ? 0 : since + WINDOW_MS - clock()
    },
    failed: (peer) => {
      const window = current(peer)
      windows.delete(peer)
      windows.set(peer, { ...window, wrong: window.wrong + 1 })
      const [oldest] = windows.keys()
      if (windows.size > MAX_PEERS && oldest !== undefined) windows.delete(oldest)
    },
  }
}

function peerOf({ socket }: IncomingMessage): string {
  const ip = canonicalIp(socket.remoteAddress ?? '')
  return ip === undefined ? 'unix' : partitionOfIp(ip)
}

/** Builds the door of the admin face: name, origin, throttle, then the token in constant time. */
export function createAdmission({ token, hosts, clock, observer }: AdmissionOptions): Admission {
  const expected = sha256(token)
  const names = new Set(['localhost', ...hosts])
  const throttle = createThrottle(clock)

  const checkPresented = (incoming: IncomingMessage, presented: string | undefined): Response | undefined => {
    const peer = peerOf(incoming)
    const waitMs = throttle.waitMs(peer)
    // Before comparing, so that a guess within the pause learns nothing.
    if (waitMs > 0) return problem('quota_exceeded', 'Too many wrong tokens came from this address.', { 'retry-after': String(Math.ceil(waitMs / 1_000)) })
    if (presented !== undefined && digestsEqual(sha256(presented), expected)) return undefined
    throttle.failed(peer)
    observer.noticed('warn', 'admin_token_rejected', 'somebody presented a wrong admin token', { peer })
    return problem('credential_rejected', 'This is not the admin token.')
  }

  const checkToken = (incoming: IncomingMessage): Response | undefined => {
    const [authorization, ...more] = incoming.headersDistinct['authorization'] ?? []
    if (more.length > 0) return problem('credential_ambiguous', 'Send one Authorization header.')
    if (authorization === undefined) return problem('credential_missing', 'Send `Authorization: Bearer` and the admin token.')
    return checkPresented(incoming, BEARER.exec(authorization)?.[1])
  }

  const checkOrigin = (incoming: IncomingMessage): Response | undefined => {
    const strange = strangeOrigin(incoming, names)
    return strange === undefined ? undefined : problem('forbidden', strange)
  }

  return { admit: (incoming) => checkOrigin(incoming) ?? checkToken(incoming), checkOrigin, checkTyped: checkPresented }
}
