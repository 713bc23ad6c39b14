import { readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { suggestion } from './did-you-mean.ts'

/** A file as the loader sees it. */
export interface FileContent {
  readonly text: string
  /** Whether every account of the machine may read it. */
  readonly worldReadable: boolean
}

/** Reads a whole file. @throws {NodeJS.ErrnoException} as `node:fs` does */
export type ReadFile = (path: string) => FileContent

export const readFromDisk: ReadFile = (path) => {
  const text = readFileSync(path, 'utf8')
  return { text, worldReadable: (statSync(path).mode & 0o004) !== 0 }
}

/** A scalar after its references were filled in. `text` is meaningless when there are problems. */
export interface Filled {
  readonly text: string
  /** Whether it held a reference; such a value is never shown, since nobody knows which variable is a secret. */
  readonly referred: boolean
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

/** Fills `${…}` into scalars and remembers the files it read. */
export interface Secrets {
  readonly fill: (text: string) => Filled
  /** One file's text without its last newline, or what is wrong with it. */
  readonly readSecret: (path: string) => Answer
  /** Absolute path to text, of every reference that could be read or not: all of them are to be watched. */
  readonly files: ReadonlyMap<string, string>
}

export type Answer = { readonly text: string; readonly warning?: string } | { readonly problem: string }

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EISDIR: 'is a directory, not a file',
  EACCES: 'may not be read by this account',
  ENOTDIR: 'does not exist',
}

/** Why a file cannot be read, in words, without repeating what is in it. */
export function unreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return REASONS[code] ?? `cannot be read${code && ` (${code})`}`
}

/**
 * `${NAME}`, `${NAME:-default}` (also for an empty variable, as in a shell), `${file:/path}` and `${cred:name}`; `$${` is a literal `${`.
 * They are filled into parsed scalars, never into YAML text, so that no value can add structure or change a type.
 */
export function createSecrets({ env, readFile, directory }: { env: NodeJS.ProcessEnv; readFile: ReadFile; directory: string }): Secrets {
  const files = new Map<string, string>()

  const readSecret = (path: string): Answer => {
    const full = resolve(directory, path)
    files.set(full, '')
    try {
      const content = readFile(full)
      files.set(full, content.text)
      const text = content.text.replace(/\r?\n$/, '')
      if (text === '') return { problem: `file ${path} is empty` }
      return content.worldReadable ? { text, warning: `file ${path} is readable by every account of this machine; chmod 0400 it` } : { text }
    } catch (error) {
      return { problem: `file ${path} ${unreadable(error)}` }
    }
  }

  const credential = (name: string): Answer => {
    const folder = env['CREDENTIALS_DIRECTORY']
    if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name)) return { problem: `"\${cred:${name}}" – expected the name of a systemd credential, letters, digits, dots and dashes` }
    if (!folder) return { problem: `credential ${name} cannot be found: CREDENTIALS_DIRECTORY is not set. Use LoadCredential= in the systemd unit` }
    return readSecret(join(folder, name))
  }

  const answerOf = (reference: string): Answer => {
    if (reference.startsWith('file:')) return readSecret(reference.slice(5))
    if (reference.startsWith('cred:')) return credential(reference.slice(5))
    return variable(env, reference, (text) => fillWith(text, answerOf))
  }

  return { fill: (text) => fillWith(text, answerOf), readSecret, files }
}

/** `NAME`, `NAME:-default`, or `NAME:+instead` when it is set; defaults may hold references themselves. An empty variable counts as unset, as in a shell. */
function variable(env: NodeJS.ProcessEnv, reference: string, fill: (text: string) => Filled): Answer {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::([-+])([\s\S]*))?$/.exec(reference)
  if (!match) return { problem: `"\${${reference}}" – expected \${NAME}, \${NAME:-default}, \${file:/path} or \${cred:name}` }
  const [, name = '', sign, other = ''] = match
  const value = env[name]
  if (sign !== undefined) {
    const isSet = value !== undefined && value !== ''
    if (sign === '+' && !isSet) return { text: '' }
    if (sign === '-' && isSet) return { text: value }
    const { text, problems, warnings } = fill(other)
    const [problem] = problems
    return problem === undefined ? { text, ...(warnings[0] !== undefined && { warning: warnings[0] }) } : { problem }
  }
  if (value !== undefined) return { text: value }
  return { problem: `variable ${name} is not set; set it, or write "\${${name}:-default}".${suggestion(name, Object.keys(env))}` }
}

/** Index of the brace that closes the reference whose text begins at `from`, or -1. */
function closingBrace(text: string, from: number): number {
  let depth = 1
  for (let at = from; at < text.length; at += 1) {
    if (text.startsWith('${', at)) depth += 1
    else if (text[at] === '}') depth -= 1
    if (depth === 0) return at
  }
  return -1
}

/** Replaces every reference of one scalar, from left to right. */
function fillWith(text: string, answerOf: (reference: string) => Answer): Filled {
  const problems: string[] = []
  const warnings: string[] = []
  let filled = ''
  let referred = false
  let from = 0
  for (let at = text.indexOf('${'); at !== -1; at = text.indexOf('${', from)) {
    const escaped = text[at - 1] === '$' && at > from
    filled += escaped ? `${text.slice(from, at - 1)}\${` : text.slice(from, at)
    from = at + 2
    if (escaped) continue
    referred = true
    const end = closingBrace(text, from)
    if (end === -1) {
      problems.push(`"${text.slice(at)}" – the reference has no closing brace; write $\${ for a literal \${`)
      return { text: filled, referred, problems, warnings }
    }
    const answer = answerOf(text.slice(from, end))
    from = end + 1
    if ('problem' in answer) problems.push(answer.problem)
    else {
      if (answer.warning) warnings.push(answer.warning)
      filled += answer.text
    }
  }
  return { text: filled + text.slice(from), referred, problems, warnings }
}
