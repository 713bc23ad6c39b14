import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Compiled } from '../../config/compile.ts'
import type { UpstreamSettings } from '../../model/gateway.ts'
import { providersTried } from '../load-config.ts'
import { providerStates } from '../provider-state.ts'
import { type Diagnosis, ok, problem, warning } from './diagnosis.ts'

const PATIENCE_MS = 2_000

/** What a connection attempt gave: milliseconds, or why there is none. */
export function tryConnection(target: { readonly host: string; readonly port: number } | { readonly path: string }): Promise<number | string> {
  const startedAt = performance.now()
  return new Promise((resolve) => {
    const socket = connect(target)
    const done = (result: number | string): void => {
      socket.destroy()
      resolve(result)
    }
    socket.setTimeout(PATIENCE_MS, () => done(`no connection within ${PATIENCE_MS} ms`))
    socket.once('connect', () => done(Math.round(performance.now() - startedAt)))
    socket.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
  })
}

/** Status and `Date` of an answer to GET, nothing sent but the request; undefined when there is none. */
export function glance(url: string, headers: Readonly<Record<string, string>> = {}): Promise<{ readonly status: number; readonly date: string | undefined; readonly contentType: string } | undefined> {
  return new Promise((resolve) => {
    const ask = url.startsWith('https:') ? httpsRequest : httpRequest
    const asking = ask(url, { headers, timeout: PATIENCE_MS, agent: false }, (answer) => {
      answer.destroy()
      resolve({ status: answer.statusCode ?? 0, date: answer.headers.date, contentType: answer.headers['content-type'] ?? '' })
    })
    asking.once('timeout', () => asking.destroy(new Error('late')))
    asking.once('error', () => resolve(undefined))
    asking.end()
  })
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '[::1]' || host === '::1' || host.startsWith('127.')

const named = ({ id }: UpstreamSettings, what: string): string => (id === 'default' ? what : `${what} ${id}`)

/** Addresses of this machine or pod that others can reach. */
export function ownAddresses(env: NodeJS.ProcessEnv): readonly string[] {
  const pod = env['POD_IP']
  if (pod !== undefined && pod !== '') return [pod]
  return Object.values(networkInterfaces()).flatMap((list) => list ?? []).filter(({ internal, address }) => !internal && !address.startsWith('fe80:')).map(({ address }) => address)
}

async function upstreamCheck(upstream: UpstreamSettings): Promise<Diagnosis> {
  const url = new URL(upstream.origin)
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  const result = await tryConnection(upstream.socketPath === undefined ? { host: url.hostname.replace(/^\[|\]$/g, ''), port } : { path: upstream.socketPath })
  const where = upstream.socketPath ?? url.host
  if (typeof result === 'number') return ok(named(upstream, 'upstream'), `${where} accepts connections (${result} ms)`)
  const container = isLoopback(url.hostname) ? '. In a container "localhost" is the container itself: use the name of the service, or run both in one pod' : ''
  return problem(named(upstream, 'upstream'), `${where}: ${result}`, `Start the API, or correct its address${container}`)
}

/** Whether others can reach the API without Postern: it should be on loopback, and there alone (deployment, 2.5). */
async function bypassCheck(upstream: UpstreamSettings, addresses: readonly string[]): Promise<readonly Diagnosis[]> {
  const { hostname, port } = new URL(upstream.origin)
  if (upstream.socketPath !== undefined || !isLoopback(hostname)) return []
  const open = (await Promise.all(addresses.map(async (host) => (typeof (await tryConnection({ host, port: Number(port || 80) })) === 'number' ? [host] : [])))).flat()
  const answersHere = typeof (await tryConnection({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) })) === 'number'
  // Where nothing answers at all there is nothing to praise: the API may well listen everywhere once it runs.
  if (open.length === 0 && !answersHere) return [warning(named(upstream, 'bypass'), `nothing answers on port ${port || 80} yet, so nothing can be told`, 'Start the API, and ask doctor again')]
  if (open.length === 0) return [ok(named(upstream, 'bypass'), `port ${port || 80} answers on loopback alone`)]
  return [problem(named(upstream, 'bypass'), `${open.map((host) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(', ')} answers too: others reach the API without authentication`, 'Let the API listen on 127.0.0.1, or close its port with a NetworkPolicy or firewall')]
}

const DAY_MS = 86_400_000

async function providerChecks(compiled: Compiled): Promise<readonly Diagnosis[]> {
  await providersTried(compiled, [], 5_000)
  return providerStates(compiled).map(({ name, keys, lastError, lastSuccessAt }) => {
    if (lastError !== undefined) return problem(`keys of ${name}`, `${lastError}; ${keys} keys in use`, 'Until there are keys, every credential of this provider is answered 503. Check the address, and the way out of this machine')
    const age = lastSuccessAt === undefined ? 0 : Date.now() - lastSuccessAt
    return age > DAY_MS ? warning(`keys of ${name}`, `${keys} keys, ${Math.round(age / DAY_MS)} days old`, 'A key that was rotated in is not known; look why the set is not fetched') : ok(`keys of ${name}`, `${keys} keys`)
  })
}

/** More than this and tokens are refused that are good, or the other way round. */
const SKEW_MS = 2_000

/** How far this clock is from another's, by its `Date`, which knows whole seconds. */
export async function clockCheck(url: string): Promise<Diagnosis> {
  const host = new URL(url).host
  const before = Date.now()
  const answer = await glance(url)
  const theirs = Date.parse(answer?.date ?? '')
  if (Number.isNaN(theirs)) return warning('clock', `${host} does not tell the time`, 'Make sure that this machine keeps its clock by NTP')
  const skew = (before + Date.now()) / 2 - (theirs + 500)
  const text = `${(Math.abs(skew) / 1_000).toFixed(1)} s ${skew < 0 ? 'behind' : 'ahead of'} ${host}`
  return Math.abs(skew) <= SKEW_MS ? ok('clock', text) : problem('clock', text, 'Keep the clock by NTP: tokens are refused as expired, or as not valid yet')
}

async function storeCheck({ limits: { store } }: Compiled): Promise<readonly Diagnosis[]> {
  if (!store) return []
  await store.ready(PATIENCE_MS)
  const { status, detail } = store.state()
  return [status === 'serving' ? ok('store', 'answers') : problem('store', detail ?? 'no answer', 'Until it answers each replica counts alone, or as on_store_error says')]
}

/** Everything that is asked over the network from here. */
export async function networkChecks(compiled: Compiled, { env, issuers }: { readonly env: NodeJS.ProcessEnv; readonly issuers: readonly string[] }): Promise<readonly Diagnosis[]> {
  const upstreams = [...compiled.gateway.upstreams.values()]
  const addresses = ownAddresses(env)
  const found = await Promise.all([
    ...upstreams.map(async (upstream) => [await upstreamCheck(upstream)]),
    ...upstreams.map((upstream) => bypassCheck(upstream, addresses)),
    providerChecks(compiled),
    ...issuers.map(async (url) => [await clockCheck(url)]),
    storeCheck(compiled),
  ])
  return found.flat()
}
