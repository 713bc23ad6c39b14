import type { Denial } from '../../model/denial.ts'
import { denialOf, slugOf } from '../../observe/speaker.ts'
import type { Explanation } from '../explanation.ts'
import type { Sent } from './sent.ts'
import type { Expectation, TestCase } from './table-schema.ts'

/** One thing that came out otherwise than was expected. */
export interface Difference {
  readonly what: string
  readonly expected: string
  readonly got: string
}

/** What came of a case. */
export interface Outcome {
  readonly explanation: Explanation
  /** Of the refusal, also where it was let pass. */
  readonly status: number | undefined
  readonly sent: Sent | undefined
  /** Names whose values may be shown: identity headers and what the case itself sent. */
  readonly showable: ReadonlySet<string>
}

const NOTHING = 'nothing'

const textOf = (value: unknown): string => (value === undefined || value === null ? NOTHING : Array.isArray(value) ? value.join(', ') || NOTHING : String(value))

const sorted = (values: Iterable<string>): string => [...values].toSorted().join(' ')

/** `expect: deny` written out; a code alone means a refusal. */
export function expectationOf(expect: TestCase['expect']): Expectation {
  if (typeof expect === 'string') return { outcome: expect, headers: {} }
  const { outcome, code, reason, stage, observed } = expect
  const refusal = code !== undefined || reason !== undefined || stage !== undefined
  const meant = outcome ?? (observed === true ? 'allow' : refusal ? 'deny' : undefined)
  return { ...expect, ...(meant && { outcome: meant }) }
}

/** Collects what differs. */
function createComparison(): { readonly compare: (what: string, expected: unknown, got: unknown) => void; readonly differences: Difference[] } {
  const differences: Difference[] = []
  return {
    differences,
    compare: (what, expected, got) => {
      if (expected !== undefined && textOf(expected) !== textOf(got)) differences.push({ what, expected: textOf(expected), got: textOf(got) })
    },
  }
}

type Compare = ReturnType<typeof createComparison>['compare']

function comparePrincipal({ principal }: Expectation, { explanation: { decision } }: Outcome, compare: Compare): void {
  if (principal === undefined) return
  const primary = decision.principals?.primary
  const identified = primary?.kind === 'identified' ? primary : undefined
  if (typeof principal === 'string') return compare('principal', principal, identified?.subject ?? (primary ? 'anonymous' : undefined))
  compare('principal.subject', principal.subject, identified?.subject)
  compare('principal.authenticator', principal.authenticator, identified?.authenticatorId)
  compare('principal.tier', principal.tier, identified?.tier)
  if (principal.scopes) compare('principal.scopes', sorted(principal.scopes), sorted(identified?.scopes ?? []))
  if (principal.roles) compare('principal.roles', sorted(principal.roles), sorted(identified?.roles ?? []))
}

function compareSent({ path, headers }: Expectation, { sent, showable }: Outcome, compare: Compare): void {
  compare('path', path, sent?.path)
  for (const [name, expected] of Object.entries(headers)) {
    const got = sent?.headers.get(name.toLowerCase()) ?? []
    const wanted = expected === null ? [] : typeof expected === 'string' ? [expected] : expected
    if (sent && wanted.join('\n') === got.join('\n')) continue
    // A config may put a secret into a header; the case that names the header need not know it.
    const shown = got.length === 0 ? NOTHING : showable.has(name.toLowerCase()) ? got.join(', ') : 'another value (not shown)'
    compare(`header ${name}`, wanted.length === 0 ? NOTHING : wanted.join(', '), sent ? shown : `${NOTHING}: it is not sent on`)
  }
}

const reasonOf = (denial: Denial | undefined): string | undefined => (denial === undefined ? undefined : slugOf(denial))

/** Everything in which a decision is not the expected one. */
export function differencesOf(expect: Expectation, outcome: Outcome): readonly Difference[] {
  const { decision } = outcome.explanation
  const observed = decision.outcome === 'allow' ? decision.observed : undefined
  const denial = denialOf(decision)
  const { compare, differences } = createComparison()
  compare('outcome', expect.outcome, decision.outcome)
  // What would be refused must not pass for allowed: a case says so when it means it.
  if (expect.outcome !== undefined || expect.observed !== undefined) compare('observed', expect.observed ?? false, observed !== undefined)
  compare('status', expect.status, outcome.status)
  compare('code', expect.code, denial?.code)
  compare('reason', expect.reason, reasonOf(denial))
  compare('stage', expect.stage, decision.outcome === 'deny' ? decision.stage : observed?.stage)
  compare('route', expect.route, decision.route?.id ?? 'none')
  comparePrincipal(expect, outcome, compare)
  compareSent(expect, outcome, compare)
  return differences
}
