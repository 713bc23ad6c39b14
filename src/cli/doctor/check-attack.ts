import { createCidrSet, NO_NETWORKS, type CidrSet } from '../../base/cidr.ts'
import { createForwardAuth } from '../../faces/forward-auth/server.ts'
import type { Reply } from '../../model/decision.ts'
import { SILENT } from '../../model/event.ts'
import type { Gateway } from '../../model/gateway.ts'
import { type Diagnosis, ok, problem } from './diagnosis.ts'

const CHECK = ['Host', 'postern', 'X-Forwarded-For', '203.0.113.66', 'X-Forwarded-Host', 'localhost', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Method', 'GET', 'X-Forwarded-Uri', '/', 'X-Original-URL', 'https://localhost/', 'X-Original-Method', 'GET']

const PATHS = ['/_postern/forward', '/_postern/nginx', '/_postern/envoy/'] as const

/** The config's gateway with other callers to trust, and without secrets, which only it may know. */
const trusting = (gateway: Gateway, trustedProxies: CidrSet): Gateway => ({ ...gateway, wire: { ...gateway.wire, trustedProxies }, ...(gateway.forwardAuth && { forwardAuth: { ...gateway.forwardAuth, secretDigests: [] } }) })

/** Statuses that a face with this gateway gives to callers on loopback. */
async function statuses(gateway: Gateway, questions: readonly (readonly [path: string, lines: readonly string[]])[]): Promise<readonly number[]> {
  const face = createForwardAuth({ gateway: () => gateway, observer: SILENT, clock: Date.now, dedicated: true })
  const ask = (url: string, rawHeaders: readonly string[]): Promise<number> =>
    new Promise((resolve) => {
      const caller = { message: { method: 'GET', url, httpVersion: '1.1', rawHeaders: [...rawHeaders] }, peer: '127.0.0.1', reply: ({ status }: Reply) => resolve(status), destroy: () => resolve(0), onDone: () => undefined }
      face.answer(caller, { last: true, overloaded: false, maxHeaders: 100 })
    })
  return Promise.all(questions.map(([path, lines]) => ask(path, lines)))
}

/** Asks for decisions as a stranger, and as a caller that leaves out what it should say. Both must be refused whatever the routes allow. */
export async function checkAttack(gateway: Gateway): Promise<readonly Diagnosis[]> {
  if (!gateway.forwardAuth) return []
  const strangers = await statuses(trusting(gateway, NO_NETWORKS), PATHS.map((path) => [path, CHECK] as const))
  const halves = await statuses(trusting(gateway, createCidrSet(['127.0.0.1'])), PATHS.map((path) => [path, ['Host', 'postern', ...(path === '/_postern/envoy/' ? [] : ['X-Forwarded-For', '203.0.113.66'])]] as const))
  const bad = (found: readonly number[]): readonly string[] => PATHS.filter((_path, index) => (found[index] ?? 0) < 400)
  const open = [...bad(strangers), ...bad(halves)]
  return [open.length === 0 ? ok('checks', 'strangers and half questions are refused at every path') : problem('checks', `${open.join(', ')} answers where it should refuse`, 'Report this, and turn forward-auth off until it is mended')]
}
