import type { Allow } from '../../model/decision.ts'
import type { UpstreamSettings } from '../../model/gateway.ts'
import type { RequestDescription } from '../../model/request.ts'
import type { Framing } from '../../wire/framing.ts'
import { type HeaderLines, upstreamLines } from '../../wire/header-lines.ts'
import type { Exchange } from './exchange.ts'

/** An allowed request and where it goes. */
export interface Errand {
  readonly request: RequestDescription
  readonly decision: Allow
  readonly settings: UpstreamSettings
  readonly framing: Framing
}

/** The request target that the upstream gets: exactly the judged bytes, unless the route says otherwise. */
export function outboundPath({ request, decision, settings }: Errand): string {
  const { path, query } = request.target
  const sent = decision.route.rewrite?.(path) ?? path
  return `${settings.basePath}${sent}${query === '' ? '' : `?${query}`}`
}

/** What a URL makes of the host of each origin, parsed once. */
const hosts = new WeakMap<UpstreamSettings, string>()

function hostOf(settings: UpstreamSettings): string {
  const known = hosts.get(settings)
  if (known !== undefined) return known
  const { host } = new URL(settings.origin)
  hosts.set(settings, host)
  return host
}

/** The header list for the upstream, made in one place for requests and upgrades alike (T4). */
export function outboundLines({ incoming, gateway, parts }: Pick<Exchange, 'incoming' | 'gateway' | 'parts'>, { request, decision, settings, framing }: Errand, upgrade = false): HeaderLines {
  return upstreamLines({
    request,
    rawHeaders: incoming.rawHeaders,
    wire: gateway.wire,
    mutation: decision.mutation,
    routeHeaders: decision.route.requestHeaders,
    upstreamHost: settings.host === 'preserve' ? request.target.host : hostOf(settings),
    framing,
    upgrade,
  }, parts.observer.stripped)
}

/** undici refuses the field, and writes it itself for a body without a length. */
export function withoutTransferCoding(headers: readonly string[]): string[] {
  const kept: string[] = []
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const [name = '', value = ''] = [headers[index], headers[index + 1]]
    if (name.toLowerCase() !== 'transfer-encoding') kept.push(name, value)
  }
  return kept
}
