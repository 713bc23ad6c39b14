import type { z } from 'zod'
import { suggestion } from './did-you-mean.ts'
import { pathText, type ConfigPath, type Mistake } from './mistake.ts'
import { isSecretPath } from './secret-keys.ts'
import { isMap, keysAt, valueAt } from './schema-walk.ts'

/** What is known about the tree that was parsed. */
export interface Judged {
  readonly schema: z.core.$ZodType
  readonly tree: unknown
  /** How a value that came from a reference and must not be shown is written in the file. */
  readonly writtenAs?: (path: ConfigPath) => string | undefined
  /** The same of a value that came from a reference and may be shown. */
  readonly cameFrom?: (path: ConfigPath) => string | undefined
}

type Issue = z.core.$ZodIssue

/** One thing that is wrong, with what was expected instead. */
type Fault =
  | { readonly kind: 'unknown_key'; readonly path: ConfigPath; readonly key: string }
  | { readonly kind: 'unknown_kind'; readonly path: ConfigPath; readonly kinds: readonly string[] }
  | { readonly kind: 'wrong'; readonly path: ConfigPath; readonly expected: string; readonly choices: readonly string[]; readonly wrongType: boolean; readonly key?: true }

const TYPES: Readonly<Record<string, string>> = { string: 'text', number: 'a number', int: 'a whole number', boolean: 'true or false', object: 'a map of keys', record: 'a map', array: 'a list' }

/** Turns what the parser says into what an operator needs: what was seen, where, what was expected, the nearest right spelling. */
export function mistakesOf(issues: readonly Issue[], judged: Judged): readonly Mistake[] {
  return issues.flatMap((issue) => faultsOf(issue, [], judged.tree)).map((fault) => mistakeOf(fault, judged))
}

function faultsOf(issue: Issue, base: ConfigPath, tree: unknown): readonly Fault[] {
  // Symbols never occur: keys come from YAML.
  const path = [...base, ...(issue.path as (string | number)[])]
  const wrong = (expected: string, choices: readonly string[] = [], wrongType = false): Fault[] => [{ kind: 'wrong', path, expected, choices, wrongType }]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ kind: 'unknown_key', path: [...path, key], key }))
    case 'invalid_union':
      return unionFaults(issue, path, tree)
    case 'invalid_type':
      // The library's own words begin otherwise: these are ours, for a type that is likely to be tried.
      return issue.message.startsWith('expected ') ? wrong(withoutExpected(issue.message)) : wrong(TYPES[issue.expected] ?? issue.expected, [], true)
    case 'invalid_value':
      if (issue.message.startsWith('expected ')) return wrong(withoutExpected(issue.message))
      return wrong(either(issue.values.map(String)), issue.values.map(String), !issue.values.some((value) => typeof value === typeof valueAt(tree, path)))
    case 'invalid_key':
      return [{ kind: 'wrong', path, expected: withoutExpected(issue.issues[0]?.message ?? 'another key'), choices: [], wrongType: false, key: true }]
    case 'too_small':
      return wrong(issue.origin === 'string' ? 'some text' : `at least ${issue.minimum}${issue.origin === 'array' ? ' entry' : ''}`)
    case 'too_big':
      return wrong(`at most ${issue.maximum}`)
    default:
      return wrong(withoutExpected(issue.message))
  }
}

const withoutExpected = (message: string): string => message.replace(/^expected /, '')

function either(words: readonly string[]): string {
  if (words.length < 2) return words[0] ?? 'nothing'
  return `${words.slice(0, -1).join(', ')}${words.some((word) => word.includes(' or ')) ? ', or ' : ' or '}${words.at(-1)}`
}

/**
 * The alternative that was most probably meant speaks. When several take this sort of value, or none does, what they expect is put
 * together.
 */
function unionFaults(issue: Extract<Issue, { code: 'invalid_union' }>, path: ConfigPath, tree: unknown): readonly Fault[] {
  if ('discriminator' in issue && issue.discriminator) return [{ kind: 'unknown_kind', path, kinds: ((issue as { options?: readonly unknown[] }).options ?? []).map(String) }]
  const alternatives = issue.errors.map((issues) => issues.flatMap((inner) => faultsOf(inner, path, tree)))
  const here = pathText(path)
  const taking = alternatives.filter((faults) => !faults.some((fault) => fault.kind === 'wrong' && fault.wrongType && pathText(fault.path) === here))
  const candidates = taking.length > 0 ? taking : alternatives
  const ranked = candidates.toSorted((a, b) => a.length - b.length)
  const best = ranked[0] ?? []
  if (candidates.every((faults) => faults.length === 1 && faults[0]?.kind === 'wrong' && pathText(faults[0].path) === here)) return together(candidates.flat())
  return withoutShadows(best, tree)
}

/** `100/minutte` is neither a rate nor a number: one fault that expects either. */
function together(faults: readonly Fault[]): readonly Fault[] {
  const wrong = faults.filter((fault) => fault.kind === 'wrong')
  const [first] = wrong
  if (!first) return faults
  return [{ ...first, expected: either([...new Set(wrong.map(({ expected }) => expected))]), choices: wrong.flatMap(({ choices }) => choices) }]
}

/** A misspelled key makes the right one missing: one mistake, not two. */
function withoutShadows(faults: readonly Fault[], tree: unknown): readonly Fault[] {
  if (!faults.some(({ kind }) => kind === 'unknown_key')) return faults
  return faults.filter((fault) => fault.kind !== 'wrong' || valueAt(tree, fault.path) !== undefined)
}

function mistakeOf(fault: Fault, judged: Judged): Mistake {
  const { path } = fault
  const value = valueAt(judged.tree, path)
  if (fault.kind === 'unknown_key') {
    const known = keysAt(judged.schema, path.slice(0, -1), judged.tree)
    return { path, message: `unknown key.${suggestion(fault.key, known) || oneOf(known)}`, at: 'key' }
  }
  if (fault.kind === 'unknown_kind') {
    if (value === undefined) return { path, message: `missing – expected ${either(fault.kinds)}` }
    return { path, message: `unknown kind ${shownValue(path, judged)}.${suggestion(String(value), fault.kinds)}${oneOf(fault.kinds)}` }
  }
  if (fault.key) return { path, message: `expected ${fault.expected}`, at: 'key' }
  if (value === undefined) return { path, message: `missing – expected ${fault.expected}` }
  if (value === null) return { path, message: `has no value – expected ${fault.expected}; remove the key to get its default` }
  const meant = typeof value === 'string' ? suggestion(value, fault.choices) : ''
  return { path, message: `${shownValue(path, judged)} – expected ${fault.expected}${meant && `.${meant}`}` }
}

const oneOf = (words: readonly string[]): string => (words.length > 0 && words.length <= 14 ? ` One of: ${words.join(', ')}` : '')

const MAX_SHOWN = 60

/** The value seen, as JSON, short, with the reference that it came from; a secret as its reference or not at all. */
function shownValue(path: ConfigPath, { tree, writtenAs, cameFrom }: Judged): string {
  const written = writtenAs?.(path)
  if (written !== undefined) return `the value of ${JSON.stringify(written)}`
  if (isSecretPath(path)) return 'this value (not shown)'
  const value = valueAt(tree, path)
  if (Array.isArray(value)) return 'a list'
  if (isMap(value)) return 'a map'
  const text = JSON.stringify(value)
  const from = cameFrom?.(path)
  return `${text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN - 1)}…`}${from === undefined ? '' : ` (from ${JSON.stringify(from)})`}`
}
