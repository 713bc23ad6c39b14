import type { Config } from '../config/schema.ts'
import type { Attempt, Decision } from '../model/decision.ts'
import { type Denial, type Evidence, isDenial } from '../model/denial.ts'
import type { Gateway } from '../model/gateway.ts'
import type { HeaderMutation } from '../model/mutation.ts'
import type { Principals } from '../model/principal.ts'
import type { ServiceLimit } from '../model/quota.ts'
import { REASONS } from '../model/reason.ts'
import type { Route } from '../model/route.ts'
import { denialOf, slugOf } from '../observe/speaker.ts'
import { PROBLEMS } from '../wire/problems.ts'
import type { Explanation, Step } from './explanation.ts'
import type { Paint } from './terminal.ts'

/** A line: what is looked at, how it went, and what was seen. */
interface Row {
  readonly title: string
  readonly words: string
  /** Undefined for facts that are neither good nor bad. */
  readonly good?: boolean
}

const shown = (value: unknown): string => (Array.isArray(value) ? value.map(shown).join(', ') : typeof value === 'string' ? JSON.stringify(value) : String(value))

/** `expiredSecondsAgo` and `retry_after` as words. */
const titleOf = (name: string): string => name.replace(/Ms$/, '').replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replaceAll('_', ' ')

/** Names say what a number is: an instant, a length, or a count. None of them is good for anything below a millisecond. */
function valueShown(name: string, value: unknown): string {
  if (typeof value !== 'number') return shown(value)
  if (name.endsWith('At') && value > 1e12) return new Date(value).toISOString().replace(/\.\d+Z$/, 'Z')
  return name.endsWith('Ms') ? lengthText(value) : String(Math.round(value))
}

const lengthText = (ms: number): string => (ms < 1_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1_000)} s`)

const evidenceRows = (evidence: Evidence | undefined): readonly Row[] =>
  Object.entries(evidence ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [{ title: `  ${titleOf(name)}`, words: valueShown(name, value) }]))

/** Members of a denial that say what was seen; the rest has a line of its own. */
const OWN_LINE: ReadonlySet<string> = new Set(['kind', 'code', 'reason', 'challenges', 'evidence', 'authenticatorId', 'status'])

/** Everything a denial says of what was seen and expected. */
const seenIn = (denial: Denial): Evidence => ({ ...Object.fromEntries(Object.entries(denial).filter(([name]) => !OWN_LINE.has(name))), ...('evidence' in denial ? denial.evidence : {}) })

function attemptRows({ authenticatorId, kind, outcome, reason, evidence, cause }: Attempt): readonly Row[] {
  const good = outcome === 'authenticated' ? true : outcome === 'missing' || outcome === 'not_applicable' || outcome === 'foreign' ? undefined : false
  const words = [outcome.replaceAll('_', ' '), reason, cause].filter((part) => part !== undefined).join('  ')
  return [{ title: `  ${authenticatorId}`, words: `${kind === authenticatorId ? '' : `${kind}  `}${words}`, ...(good === undefined ? {} : { good }) }, ...evidenceRows(evidence)]
}

const limitRow = ({ policy, remaining, exceeded }: ServiceLimit): Row => ({
  title: `  ${policy.name}`,
  words: `${remaining} of ${policy.quota} left${policy.shadow ? ', counted only' : ''}`,
  good: !exceeded,
})

// The pipe notes these products at these stages; `unknown` is only the type of the callback.
const limitsOf = (product: unknown): readonly ServiceLimit[] => (product as { readonly limits: readonly ServiceLimit[] }).limits
const authenticationOf = (product: unknown) => product as { readonly principals: Principals | Denial; readonly attempts: readonly Attempt[] }
const mutationOf = (product: unknown) => product as HeaderMutation

function principalWords({ primary }: Principals): string {
  if (primary.kind === 'anonymous') return 'anonymous'
  const more = [`by ${primary.authenticatorId}`, primary.credentialId && `credential ${primary.credentialId}`, primary.scopes.size > 0 && `scopes ${[...primary.scopes].join(' ')}`, primary.tier && `tier ${primary.tier}`]
  return [primary.subject, ...more.filter(Boolean)].join('  ')
}

/** Identity headers in full: the upstream learns them. Others by name alone, since a config may put a secret there. */
function mutationRows({ set, remove, removeCookies }: HeaderMutation, gateway: Gateway): readonly Row[] {
  const value = ([name, text]: readonly [string, string]): string => (gateway.wire.owned.identity.has(name.toLowerCase()) ? `${name}: ${text}` : name)
  return [
    { title: 'upstream', words: set.length > 0 ? set.map(value).join('   ') : 'learns nothing', good: true },
    ...(remove.length + removeCookies.length > 0 ? [{ title: '  removed', words: [...remove, ...removeCookies.map((name) => `cookie ${name}`)].join(', ') }] : []),
  ]
}

function stageRows({ stage, product }: Step, gateway: Gateway, governs: Route | undefined): readonly Row[] {
  const good = !isDenial(product)
  switch (stage) {
    case 'match_route':
      return [{ title: 'route', words: isDenial(product) ? (governs?.deny ? `${governs.id}, which refuses` : 'none matches') : String((product as { readonly id: string }).id), good }]
    case 'check_network':
      return [{ title: 'network', words: good ? 'allowed' : 'denied', good }]
    case 'limit_client':
    case 'limit_principal': {
      const limits = limitsOf(product)
      return limits.length === 0 ? [] : [{ title: 'limits', words: stage === 'limit_client' ? 'before authentication' : 'of the principal' }, ...limits.map(limitRow)]
    }
    case 'authenticate': {
      const { principals, attempts } = authenticationOf(product)
      return [{ title: 'credential', words: isDenial(principals) ? 'nobody is proven' : principalWords(principals), good: !isDenial(principals) }, ...attempts.flatMap(attemptRows)]
    }
    case 'authorize':
      return [{ title: 'may it', words: good ? 'yes' : 'no', good }]
    case 'mutate':
      return mutationRows(mutationOf(product), gateway)
    case 'describe':
      return [{ title: 'request', words: 'cannot be read in only one way', good: false }]
  }
}

function requestRow({ request }: Explanation): readonly Row[] {
  if (!request) return []
  const { method, target, client } = request
  const hops = client.trustedHops > 0 ? `, behind ${client.trustedHops} trusted ${client.trustedHops === 1 ? 'proxy' : 'proxies'}` : ''
  return [{ title: 'request', words: `${method} ${target.scheme}://${target.host}${target.path} from ${client.ip}${hops}` }]
}

/** What comes next when nothing is in the way. The query stays out: it may hold a secret. */
function consequence({ decision, request }: Explanation, gateway: Gateway, mode: Mode): string {
  if (decision.outcome !== 'allow') return ''
  if (mode === 'forward_auth') {
    const told = decision.mutation.set.filter(([name]) => gateway.wire.owned.identity.has(name.toLowerCase()))
    return `the proxy is told ${told.map(([name, text]) => `${name}: ${text}`).join(', ') || 'nothing of who asks'}`
  }
  const { route } = decision
  const upstream = gateway.upstreams.get(route.upstreamId)
  const path = request?.target.path ?? '/'
  if (!upstream) return `sent to ${route.upstreamId}`
  return `would be sent to ${upstream.socketPath === undefined ? upstream.origin : `unix:${upstream.socketPath} `}${upstream.basePath}${route.rewrite?.(path) ?? path}`
}

function verdict(explanation: Explanation, { gateway, mode, paint }: Telling): string {
  const { decision, status } = explanation
  if (decision.outcome === 'answer') return `${paint('green', '✓')} answered here with ${status}`
  if (decision.outcome === 'allow') {
    const { observed } = decision
    const next = consequence(explanation, gateway, mode)
    return observed ? `${paint('yellow', '!')} let pass, since refusals are only observed here; it would be ${slugOf(observed.denial)}; ${next}` : `${paint('green', '✓')} allowed; ${next}`
  }
  const { denial } = decision
  const hint = 'reason' in denial ? REASONS[denial.reason].hint : PROBLEMS[denial.code].detail
  const slug = slugOf(denial)
  return [`${paint('red', '✗')} ${paint('bold', `${status} ${denial.code}`)}${slug === denial.code ? '' : `  ${slug}`}`, `  ${hint}`].join('\n')
}

type Mode = Config['mode']

/** With what an explanation is told. */
export interface Telling { readonly gateway: Gateway; readonly mode: Mode; readonly paint: Paint }

/** For people: each stage with what it saw and expected, then the verdict, the reason and what mends it. */
export function explanationText(explanation: Explanation, telling: Telling): string {
  const { gateway, paint } = telling
  const { decision, steps } = explanation
  const attempted = decision.attempts.some(({ evidence }) => evidence)
  const last = decision.outcome === 'deny' && !attempted ? evidenceRows(seenIn(decision.denial)) : []
  const rows = [...requestRow(explanation), ...steps.flatMap((step) => stageRows(step, gateway, decision.route)), ...last]
  const width = Math.max(...rows.map(({ title }) => title.length))
  const mark = (good: boolean | undefined): string => (good === undefined ? ' ' : good ? paint('green', '✓') : paint('red', '✗'))
  return [...rows.map(({ title, words, good }) => `${title.padEnd(width)} ${mark(good)} ${words}`), verdict(explanation, telling)].join('\n')
}

function principalData(decision: Decision): Record<string, unknown> | undefined {
  const primary = decision.principals?.primary
  if (primary?.kind !== 'identified') return primary && { kind: primary.kind }
  const { kind, subject, authenticatorId, credentialId, scopes, roles, tier, expiresAt } = primary
  return { kind, subject, authenticator: authenticatorId, credential_id: credentialId, scopes: [...scopes], roles, tier, expires_at: expiresAt }
}

/** For programs: the same facts. Holds no credential and no header value besides identity headers. */
export function explanationData({ request, decision, status, steps }: Explanation, gateway: Gateway): Record<string, unknown> {
  const denial = denialOf(decision)
  const identity = decision.outcome === 'allow' ? decision.mutation.set.filter(([name]) => gateway.wire.owned.identity.has(name.toLowerCase())) : []
  return {
    outcome: decision.outcome,
    status,
    stage: decision.outcome === 'deny' ? decision.stage : undefined,
    code: denial?.code,
    reason: denial && slugOf(denial),
    hint: denial && ('reason' in denial ? REASONS[denial.reason].hint : PROBLEMS[denial.code].detail),
    evidence: denial && seenIn(denial),
    observed: decision.outcome === 'allow' && decision.observed !== undefined,
    request: request && { method: request.method, host: request.target.host, path: request.target.path, client: request.client.ip },
    route: decision.route?.id,
    principal: principalData(decision),
    identity: Object.fromEntries(identity),
    attempts: decision.attempts.map(({ authenticatorId, ...attempt }) => ({ authenticator: authenticatorId, ...attempt })),
    limits: decision.limits.map(({ policy, remaining, exceeded, resetsAt }) => ({ policy: policy.name, quota: policy.quota, remaining, exceeded, resets_at: resetsAt })),
    stages: steps.map(({ stage, product }) => ({ stage, ok: !isDenial(product) })),
  }
}
