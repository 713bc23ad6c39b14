import type { ConfigPath, Mistake } from '../../config/mistake.ts'
import { routeNames } from '../../config/compile-routes.ts'
import { unknownName } from '../../config/finding.ts'
import { KeyActRefused } from '../../keys/key-request.ts'
import { denialOf } from '../../observe/speaker.ts'
import { replyOf } from '../../wire/reply.ts'
import { explainRequest, type Explanation } from '../explanation.ts'
import { joinCookies, type SketchedRequest } from '../sketched-request.ts'
import { differencesOf, expectationOf, type Difference, type Outcome } from './differences.ts'
import { planCase, type Plan } from './plans.ts'
import { sentOf } from './sent.ts'
import type { Subject } from './subject.ts'
import type { Table, TestCase } from './table-schema.ts'

/** What became of one case. */
export interface CaseResult {
  readonly name: string
  readonly path: ConfigPath
  readonly differences: readonly Difference[]
  /** Absent when its credential could not be made. */
  readonly explanation?: Explanation
}

/** A case that is ready to be asked. */
interface Prepared {
  readonly row: TestCase
  readonly path: ConfigPath
  readonly plans: readonly Plan[]
}

/** Where a table and the config do not fit together; nothing is asked then. */
export function planTable({ cases }: Table, subject: Subject): { readonly prepared: readonly Prepared[]; readonly mistakes: readonly Mistake[] } {
  const mistakes: Mistake[] = []
  const complain = (path: ConfigPath, message: string): void => void mistakes.push({ path, message })
  const routes = [...routeNames(subject.loaded.config), 'none']
  const names = new Set<string>()
  const prepared = cases.map((row, index): Prepared => {
    const path: ConfigPath = ['cases', index]
    const { outcome, status, route, observed, code, reason, stage, headers, path: sentPath } = expectationOf(row.expect)
    if (names.has(row.name)) complain([...path, 'name'], `${JSON.stringify(row.name)} stands twice in this table`)
    names.add(row.name)
    if (outcome === undefined && status === undefined) complain([...path, 'expect'], 'says no decision – expected an outcome (allow, deny or answer), a status or a code')
    if (outcome === 'allow' && observed !== true && [status, code, reason, stage].some((given) => given !== undefined)) complain([...path, 'expect'], 'what is allowed has no status, code, reason or stage here; the upstream answers it. `observed: true` means a refusal that was let pass')
    if (outcome !== undefined && outcome !== 'allow' && (sentPath !== undefined || Object.keys(headers).length > 0)) complain([...path, 'expect'], `what is ${outcome === 'deny' ? 'denied' : 'answered here'} is sent to no upstream, so there is no path and there are no headers`)
    if (route !== undefined && !routes.includes(route) && !isBuiltIn(route)) complain([...path, 'expect', 'route'], unknownName('route', route, routes))
    return { row, path, plans: planCase(row, path, { ...subject, complain }) }
  })
  return { prepared, mistakes }
}

/** Routes that no config writes; a wrong one of them fails its case. */
const isBuiltIn = (route: string): boolean => /^(unmatched$|back-channel logout$|self-service |metadata )/.test(route)

type Fields = readonly (readonly [name: string, value: string])[]

const fieldsOf = (headers: Readonly<Record<string, string | readonly string[]>>): Fields => Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value] as const] : value.map((each) => [name, each] as const)))

/** A field that a case writes stands for those of the same name that the table gives to all. */
function headersOf(defaults: Table['defaults']['headers'], own: Table['defaults']['headers']): Fields {
  const written = new Set(Object.keys(own).map((name) => name.toLowerCase()))
  return [...fieldsOf(defaults).filter(([name]) => !written.has(name.toLowerCase())), ...fieldsOf(own)]
}

function sketch({ request }: TestCase, credentials: Fields, defaults: Table['defaults']): SketchedRequest {
  const surroundings = { ...defaults, ...('headers' in request ? request : { headers: {} }) }
  const own = headersOf(defaults.headers, 'headers' in request ? request.headers : {})
  const fields = joinCookies([['Host', surroundings.host ?? 'localhost'], ...own, ...credentials])
  return { message: { method: request.method, url: request.path, httpVersion: '1.1', rawHeaders: fields.flat() }, peer: surroundings.ip ?? '127.0.0.1', encrypted: surroundings.https ?? false }
}

function outcomeOf(explanation: Explanation, { message }: SketchedRequest, { compiled: { gateway }, loaded, clock }: Subject): Outcome {
  const { decision, request, status } = explanation
  const denial = decision.outcome === 'allow' ? denialOf(decision) : undefined
  const now = clock.now()
  const sent = decision.outcome === 'allow' && request ? sentOf(request, message.rawHeaders, { decision, gateway, mode: loaded.config.mode, now }) : undefined
  const showable = new Set([...gateway.wire.owned.identity, ...message.rawHeaders.filter((_name, index) => index % 2 === 0).map((name) => name.toLowerCase())])
  return { explanation, sent, showable, status: denial ? replyOf(denial, { wire: gateway.wire, requestId: '', now, limits: decision.limits }).status : status }
}

async function ask({ row, plans }: Prepared, defaults: Table['defaults'], subject: Subject): Promise<Outcome> {
  const { clock, compiled: { gateway } } = subject
  const credentials: (readonly [string, string])[] = []
  for (const plan of plans) credentials.push(...(await plan(clock.now())))
  const asked = sketch(row, credentials, defaults)
  let explanation = await explainRequest(asked, gateway, clock.now)
  for (let time = 1; time < row.times; time += 1) explanation = await explainRequest(asked, gateway, clock.now)
  return outcomeOf(explanation, asked, subject)
}

async function resultOf(prepared: Prepared, { defaults, now }: Table, subject: Subject): Promise<CaseResult> {
  const { row, path } = prepared
  subject.clock.set(row.now ?? now ?? Date.now())
  subject.unspend()
  try {
    const outcome = await ask(prepared, defaults, subject)
    const faults = subject.faults().map((error): Difference => ({ what: 'fault', expected: 'none', got: error instanceof Error ? error.message : String(error) }))
    return { name: row.name, path, differences: [...differencesOf(expectationOf(row.expect), outcome), ...faults], explanation: outcome.explanation }
  } catch (error) {
    if (!(error instanceof KeyActRefused)) throw error
    return { name: row.name, path, differences: [{ what: 'key', expected: 'a key that can be issued', got: error.message }] }
  }
}

/** Asks every case, in order, each with unspent quotas and at its own instant. */
export async function runTable(table: Table, prepared: readonly Prepared[], subject: Subject): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = []
  for (const each of prepared) results.push(await resultOf(each, table, subject))
  return results
}
