import { expect } from 'vitest'
import type { DecidedEvent } from '../../src/model/event.ts'
import type { IdentifiedPrincipal } from '../../src/model/principal.ts'
import { rawRequest } from '../support/raw-client.ts'
import type { RecordedRequest, RecordingUpstream } from '../support/recording-upstream.ts'
import { valuesOf } from '../support/strict-http.ts'
import type { Attacked } from './attacked.ts'

/**
 * What must hold after every payload, whatever it was (I1 to I9 of the security design). Everything here is worked out from the bytes
 * that reached the upstream and from what the decision said; no function of the product is used to judge the product.
 */

/** What happened since the last look. */
export interface Window {
  /** Requests that reached the upstream. */
  readonly arrived: readonly RecordedRequest[]
  readonly decided: readonly DecidedEvent[]
  /** Connections that the upstream accepted. */
  readonly connections: number
}

export interface Watched {
  readonly attacked: Attacked
  /** Every upstream that the config names. */
  readonly upstreams: readonly RecordingUpstream[]
  /** Identity headers, lower-case, and the text that each must have. */
  readonly identity: Readonly<Record<string, (principal: IdentifiedPrincipal) => string | undefined>>
  /** Texts that no line of log or audit may contain. Grows. */
  readonly secrets: Set<string>
  /** Written in front of a connection of ours: the PROXY protocol. */
  readonly preface?: string
}

export interface LookOptions {
  /** An allowed request need not have arrived: its client left, or its body was refused on the way. */
  readonly mayStayBehind?: boolean
}

const folded = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-')

/** Fields that Postern writes from what it verified, and those that it never writes. */
const WRITTEN = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded', 'x-request-id', 'traceparent', 'host'])
const NEVER = /^(x-forwarded(-.*)?|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip|cf-connecting-ip|x-(original|rewrite)-.*|x-host|x-http-method(-override)?|x-method-override|x-middleware-subrequest|x-envoy-.*|x-accel-.*|x-amzn-oidc-.*|x-goog-iap-.*|x-auth-request-.*|remote-user|proxy(-.*)?|expect|te|trailer|keep-alive|http2-settings)$/

const namesOf = ({ headers }: RecordedRequest): string[] => headers.map(([name]) => folded(name))
const foldedValues = (request: RecordedRequest, name: string): string[] => request.headers.filter(([candidate]) => folded(candidate) === name).map(([, value]) => value)

/** The text that a header value stands for (RFC 8187 for what is not plain ASCII). */
const plain = (value: string): string => (value.startsWith("UTF-8''") ? decodeURIComponent(value.slice(7)) : value)

/** I2: at most one line under any spelling, and that one verified. */
function checkIdentity(request: RecordedRequest, { decision }: DecidedEvent, identity: Watched['identity']): void {
  const principal = decision.principals?.primary
  for (const [name, textOf] of Object.entries(identity)) {
    const verified = principal?.kind === 'identified' ? textOf(principal) : undefined
    expect(foldedValues(request, name).map(plain), `I2: lines of ${name} in any spelling`).toEqual(verified === undefined ? [] : [verified])
  }
}

/** I6: one Host, framing that is ours, nothing of the client's connection. */
function checkConnectionFields(request: RecordedRequest, { request: judged }: DecidedEvent): void {
  const upgrade = judged?.upgrade === 'websocket'
  const named = (judged?.headers.get('connection') ?? []).flatMap((line) => line.split(',')).map((token) => folded(token.trim()))
  expect(valuesOf(request.headers, 'host'), 'I6: Host').toEqual([judged?.target.host])
  const connection = valuesOf(request.headers, 'connection').map((value) => value.toLowerCase())
  expect(connection.length, 'I6: lines of Connection').toBeLessThanOrEqual(1)
  for (const value of connection) expect(upgrade ? ['upgrade'] : ['close', 'keep-alive'], 'I6: Connection').toContain(value)
  expect(valuesOf(request.headers, 'upgrade'), 'I6: Upgrade').toEqual(upgrade ? ['websocket'] : [])
  const framing = [...valuesOf(request.headers, 'content-length'), ...valuesOf(request.headers, 'transfer-encoding')]
  expect(framing.length, 'I6: Content-Length or Transfer-Encoding').toBeLessThanOrEqual(1)
  expect(request.trailers, 'I6: trailers').toEqual([])
  for (const name of named) if (!['close', 'keep-alive', 'upgrade', ''].includes(name) && !WRITTEN.has(name)) expect(namesOf(request), 'I6: named in Connection').not.toContain(name)
  for (const name of namesOf(request)) if (!WRITTEN.has(name)) expect(name, 'a field that only a proxy may write').not.toMatch(NEVER)
}

/** Forwarding fields say what was verified, once. */
function checkForwarding(request: RecordedRequest, { request: judged }: DecidedEvent): void {
  expect(foldedValues(request, 'x-forwarded-for'), 'X-Forwarded-For').toEqual([judged?.client.ip])
  expect(foldedValues(request, 'x-forwarded-proto'), 'X-Forwarded-Proto').toEqual([judged?.target.scheme])
  expect(foldedValues(request, 'x-forwarded-host'), 'X-Forwarded-Host').toEqual([judged?.target.host])
  expect(foldedValues(request, 'forwarded').length, 'Forwarded').toBe(1)
}

/** I3: the bytes that were judged are the bytes that were sent. */
function checkTarget(request: RecordedRequest, { request: judged }: DecidedEvent): void {
  const { path, query } = judged?.target ?? { path: '', query: '' }
  expect(request.target, 'I3: target').toBe(query === '' ? path : `${path}?${query}`)
  expect(request.method, 'the judged method').toBe(judged?.method)
}

/** I1: each allowed request arrived exactly once, and nothing else did. */
function checkConservation({ arrived, decided }: Window, mayStayBehind: boolean): void {
  const allowed = decided.filter(({ decision }) => decision.outcome === 'allow').map(({ wire }) => wire.id)
  const ids = arrived.map((request) => foldedValues(request, 'x-request-id').join('|'))
  if (!mayStayBehind) expect(ids.toSorted(), 'I1: requests at the upstream are the allowed ones').toEqual(allowed.toSorted())
  expect(new Set(ids).size, 'I1: each arrived once').toBe(ids.length)
  for (const id of ids) expect(allowed, 'I1: what arrived was allowed').toContain(id)
}

/** I9: one audit line for each decision, each line one JSON object, no secret in any. */
function checkLines(lines: readonly string[], decided: number, secrets: ReadonlySet<string>): void {
  const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(records.filter((record) => record['event.dataset'] === 'postern.audit').length, 'I9: audit lines').toBe(decided)
  for (const line of lines) {
    // oxlint-disable-next-line no-control-regex -- they are what must not be there
    expect(line, 'I9: control characters').not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/)
    for (const secret of secrets) expect(line.includes(secret), 'I9: a secret in a line').toBe(false)
  }
}

/** Longest time between two looks at whether a client who attacks nobody is answered. */
const ALIVE_MS = 200

/** I7: it still answers, quickly. */
async function checkAlive({ port }: Attacked, preface: string): Promise<void> {
  const [answer] = await rawRequest(port, `${preface}GET /alive HTTP/1.1\r\nHost: alive.test\r\nConnection: close\r\n\r\n`, { timeoutMs: 5_000, answers: 1 })
  // Where every path is guarded, 401 is as good a sign of life.
  expect([401, 404], 'I7: alive').toContain(answer?.status)
}

/** Waits until Postern has nothing under way, and gives sockets a moment to deliver what was written. */
async function settled({ face }: Attacked): Promise<void> {
  // Not `expect.poll`, which needs the runner: this is used outside of it as well.
  for (const endsAt = performance.now() + 5_000; face.inFlight() > 0 && performance.now() < endsAt; ) await new Promise((resolve) => setTimeout(resolve, 2))
  expect(face.inFlight(), 'I7: requests under way return to 0').toBe(0)
  await new Promise((resolve) => setTimeout(resolve, 1))
}

/** Looks at everything since the last look, and judges it. */
export function watchInvariants({ attacked, upstreams, identity, secrets, preface = '' }: Watched): (options?: LookOptions) => Promise<Window> {
  const counts = () => ({ arrived: upstreams.map(({ requests }) => requests.length), connections: upstreams.reduce((sum, up) => sum + up.connections(), 0), bytes: upstreams.reduce((sum, up) => sum + up.bytesReceived(), 0), decided: attacked.events.decided.length, lines: attacked.lines.length })
  let before = counts()
  let aliveAt = 0
  return async ({ mayStayBehind = false } = {}) => {
    await settled(attacked)
    const [from, now] = [before, counts()]
    // What is found wrong is said once, and not again at the next look.
    before = now
    const window: Window = {
      arrived: upstreams.flatMap(({ requests }, index) => requests.slice(from.arrived[index])),
      decided: attacked.events.decided.slice(from.decided),
      connections: now.connections - from.connections,
    }
    const [bytes, lines] = [now.bytes - from.bytes, attacked.lines.slice(from.lines)]
    expect(upstreams.flatMap(({ violations }) => violations), 'I1: what a strict reader finds at the upstream').toEqual([])
    checkConservation(window, mayStayBehind)
    for (const request of window.arrived) {
      const decision = window.decided.find(({ wire }) => wire.id === foldedValues(request, 'x-request-id')[0])
      if (!decision) throw new Error('I1: a request without a decision')
      checkIdentity(request, decision, identity)
      checkTarget(request, decision)
      checkConnectionFields(request, decision)
      checkForwarding(request, decision)
    }
    const allowed = window.decided.some(({ decision }) => decision.outcome === 'allow')
    if (!allowed) expect({ connections: window.connections, bytes }, 'I4: a refused request opens no connection').toEqual({ connections: 0, bytes: 0 })
    expect(attacked.events.faulted, 'I8: nothing was thrown').toEqual([])
    checkLines(lines, window.decided.length, secrets)
    // The next payload notices as well; so it is asked for its own sake now and then.
    if (performance.now() - aliveAt > ALIVE_MS) {
      await checkAlive(attacked, preface)
      await settled(attacked)
      aliveAt = performance.now()
      before = counts()
    }
    return window
  }
}
