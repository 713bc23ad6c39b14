import type { ParseArgsOptionDescriptor } from 'node:util'
import type { Terminal } from './terminal.ts'

/** Values as parsed: a flag, a text, or a list where the option may be repeated. */
export type OptionValues = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>

/** One call of a command. */
export interface Invocation {
  readonly positionals: readonly string[]
  readonly options: OptionValues
  readonly terminal: Terminal
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
}

/** Does the work and gives the exit code. */
export type Run = (invocation: Invocation) => Promise<number>

/** An option and its line in the help. */
export interface CommandOption extends ParseArgsOptionDescriptor {
  readonly help: string
  /** Name of the value in the help. */
  readonly value?: string
}

export interface Command {
  readonly summary: string
  /** Positional arguments as the help shows them. */
  readonly arguments: string
  readonly minimum: number
  readonly maximum: number
  readonly options: Readonly<Record<string, CommandOption>>
  /** Imported only when this command is called, so that each loads no more than it needs. */
  readonly load: () => Promise<{ readonly run: Run }>
}

/** The text of an option, or undefined when it was not given. */
export function textOption(options: OptionValues, name: string): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}

/** Every text of an option that may be repeated. */
export function textOptions(options: OptionValues, name: string): readonly string[] {
  const value = options[name]
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : []
}
