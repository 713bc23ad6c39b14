import { compile, type Compiled, type CompileOptions } from '../config/compile.ts'
import { loadConfig, type LoadedConfig } from '../config/load.ts'
import { ConfigError, ConfigFileError, type PlacedMistake } from '../config/mistake.ts'
import { formatMistakes } from '../config/report.ts'
import { createResources, type Resources } from '../config/resources.ts'
import { SILENT } from '../model/event.ts'
import type { Invocation } from './command.ts'
import { findConfigFile, requireConfigFile } from './config-file.ts'
import { EXIT } from './exit-codes.ts'

/** A config that was read and one that was made of it. */
export interface Prepared {
  readonly loaded: LoadedConfig
  readonly compiled: Compiled
}

const fromVariables = (env: NodeJS.ProcessEnv): boolean => Object.keys(env).some((name) => name.startsWith('POSTERN_UPSTREAM'))

/** Whether there is a config, be it a file or variables. */
export const hasConfig = (invocation: Pick<Invocation, 'options' | 'cwd' | 'env'>): boolean => findConfigFile(invocation) !== undefined || fromVariables(invocation.env)

/** Variables alone can make a config, so no file is fine where one of them is set. */
export const configFileOf = (invocation: Pick<Invocation, 'options' | 'cwd' | 'env'>): string | undefined =>
  findConfigFile(invocation) ?? (fromVariables(invocation.env) ? undefined : requireConfigFile(invocation))

/** What to compile with. */
export interface Building {
  readonly resources: Resources
  readonly options?: CompileOptions
}

/**
 * Compiles a config that was read.
 *
 * @throws {ConfigFileError} with every mistake and its place
 */
export function compileLoaded(loaded: LoadedConfig, { resources, options }: Building): Compiled {
  try {
    return compile(loaded.config, resources, { ...options, revision: loaded.revision.slice(0, 12) })
  } catch (error) {
    if (error instanceof ConfigFileError || !(error instanceof ConfigError)) throw error
    throw new ConfigFileError(loaded.placed(error.mistakes))
  }
}

/**
 * Reads, checks and compiles.
 *
 * @throws {ConfigFileError} with every mistake and its place, whoever found it
 */
export function prepareConfig({ file, env, ...building }: { readonly file: string | undefined; readonly env: NodeJS.ProcessEnv } & Building): Prepared {
  const loaded = loadConfig({ file, env })
  return { loaded, compiled: compileLoaded(loaded, building) }
}

/** Resources of a command that looks once and ends: nobody watches, and nothing is made or written. */
export const passingResources = (): Resources => createResources({ clock: Date.now, observer: SILENT, looking: true })

const asData = ({ file, line, column, path, message }: PlacedMistake): Record<string, unknown> => ({ file, line, column, path: path.join('.'), message })

/** Prints the mistakes of a config that was not taken, for people or with `--json` as data, and gives the exit code. */
export function reportMistakes(error: unknown, { terminal, options }: Pick<Invocation, 'terminal' | 'options'>): number {
  if (!(error instanceof ConfigFileError)) throw error
  if (options['json'] === true) terminal.out(JSON.stringify({ ok: false, errors: error.mistakes.map(asData) }))
  else process.stderr.write(formatMistakes(error.mistakes, { color: terminal.color }))
  return EXIT.config
}

/** Warnings of reading and of compiling, with their places. */
export const warningsOf = ({ loaded, compiled }: Prepared): readonly PlacedMistake[] => [...loaded.warnings, ...loaded.placed(compiled.warnings)]

export const warningData = (prepared: Prepared): readonly Record<string, unknown>[] => warningsOf(prepared).map(asData)

/** Waits until every provider, and every further source, was tried once, but no longer than 2 s: an issuer that is down must not keep us from starting. */
export async function providersTried({ providers, limits }: Compiled, more: readonly { readonly tried: () => Promise<void> }[] = [], waitMs = 2_000): Promise<void> {
  const tried = Promise.allSettled([...providers.map(({ ready }) => ready()), limits.store?.ready(), ...more.map((each) => each.tried())])
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, waitMs)
  })
  await Promise.race([tried, late])
  clearTimeout(timer)
}

