import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { type Attacked, startAttacked } from '../../attack/attacked.ts'
import { type LookOptions, watchInvariants, type Window } from '../../attack/invariants.ts'
import { type RecordingUpstream, startRecordingUpstream } from '../../support/recording-upstream.ts'
import { quiet, type Script, talk } from '../exchange.ts'
import { fuzzTarget, type Opened } from '../fuzz-target.ts'
import { NONCE, requestStreams } from '../request-streams.ts'

const KEY = 'key-of-the-key-holder-1'

const config = (upstream: RecordingUpstream) => ({
  version: 1,
  listen: { address: '127.0.0.1:0', headers_timeout: '2s', body_idle_timeout: '2s', keep_alive_timeout: '5s' },
  ops: 'off',
  upstreams: { app: { url: `http://127.0.0.1:${upstream.port}`, connect_timeout: '2s', timeout: '5s' }, undici: { url: `http://127.0.0.1:${upstream.port}`, connect_timeout: '2s', timeout: '5s', engine: 'undici' } },
  client_ip: { direct: true },
  authenticators: { key: { type: 'api_key', in: [{ header: 'X-API-Key' }, { bearer: true }, { cookie: 'key' }], keys: [{ id: 'k1', value: KEY, subject: 'keyholder' }] }, anyone: { type: 'anonymous' } },
  identity: { 'X-User-Id': 'sub', 'X-User-Email': 'email' },
  routes: [
    { name: 'public', match: { path: '/public/**' }, auth: 'none', upstream: 'app' },
    { name: 'undici', match: { path: '/undici/**' }, auth: 'none', upstream: 'undici' },
    { name: 'optional', match: { path: '/optional/**' }, auth: ['key', 'anyone'], upstream: 'app' },
    { name: 'guarded', match: { path: '/guarded/**' }, auth: ['key'], upstream: 'app' },
    { name: 'guarded-undici', match: { path: '/guarded-undici/**' }, auth: ['key'], upstream: 'undici' },
    { name: 'admin', match: { path: '/admin/**' }, auth: ['key'], roles: ['admin'], upstream: 'app' },
  ],
})

interface Site { readonly upstream: RecordingUpstream; readonly attacked: Attacked; readonly look: (options?: LookOptions) => Promise<Window> }

let nonces = 0

/** No case sees another's words: every case has a number, and the upstream echoes it (I5). */
function checkOwn(received: readonly string[], own: readonly string[]): void {
  received.forEach((text, index) => {
    for (const [other, nonce] of own.entries()) assert.ok(other === index || !text.includes(nonce), `what case ${index} received has the words of case ${other}`)
  })
}

const verdictOf = (received: string): string => {
  const status = /^HTTP\/1\.1 (\d)\d\d /.exec(received)?.[1]
  assert.ok(received === '' || status !== undefined, `an answer that begins ${JSON.stringify(received.slice(0, 40))}`)
  return status === undefined ? 'no answer' : status === '2' ? 'let through' : status === '1' ? 'continued' : status === '5' ? 'failed' : 'refused'
}

async function check(scripts: readonly Script[], { upstream, attacked, look }: Site): Promise<string[]> {
  const own = scripts.map(() => `nonce-${(nonces += 1).toString().padStart(9, '0')}`)
  const talks = await Promise.all(scripts.map((script, index) => talk(attacked.port, { ...script, text: script.text.replaceAll(NONCE, own[index] ?? '') })))
  const activity = (): number => talks.reduce((sum, { received, ended }) => sum + received().length + Number(ended()), 0) + upstream.bytesReceived() + attacked.events.decided.length + attacked.face.inFlight()
  await quiet(activity)
  for (const { destroy } of talks) destroy()
  await quiet(activity)
  // A client that has left, or whose body is refused on the way, leaves its request behind.
  const window = await look({ mayStayBehind: true })
  for (const { target, headers } of window.arrived) assert.ok(!target.startsWith('/admin') && !target.includes('smuggled'), JSON.stringify(headers))
  const received = talks.map((each) => each.received())
  checkOwn(received, own)
  return received.map(verdictOf)
}

async function open(): Promise<Opened<readonly Script[]>> {
  const upstream = await startRecordingUpstream()
  const attacked = await startAttacked(config(upstream))
  const look = watchInvariants({ attacked, upstreams: [upstream], secrets: new Set([KEY]), identity: { 'x-user-id': ({ subject }) => subject, 'x-user-email': ({ email }) => email } })
  const site = { upstream, attacked, look }
  return {
    inputs: fc.array(requestStreams, { minLength: 1, maxLength: 96, size: 'max' }),
    check: (scripts) => check(scripts, site),
    close: async () => {
      await attacked.close()
      await upstream.close()
    },
  }
}

export const wireRequests = fuzzTarget<readonly Script[]>({
  name: 'wire-requests',
  subject: 'raw bytes on connections to a whole Postern, dozens at once: framing in doubt, bodies that are requests, claimed identities, upgrades, pipelines, bytes changed, cut anywhere; both engines',
  oracle: 'a strict reader of its own counts what arrives at the upstream: each request was allowed, once; target, method, `Host` and identity are the judged ones; nothing of one client reaches another',
  where: 'sockets',
  verdicts: ['let through', 'refused', 'failed', 'continued', 'no answer'],
  batch: 100,
  weight: 2,
  asynchronous: true,
  open,
})
