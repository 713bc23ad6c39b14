import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { textOption, type Invocation } from './command.ts'
import { EXIT, OperatorError } from './exit-codes.ts'

const SYSTEM_FILE = '/etc/postern/postern.yaml'

/** The config file that a command is about, or undefined when there is none where one is looked for. */
export function findConfigFile({ options, cwd }: Pick<Invocation, 'options' | 'cwd'>): string | undefined {
  const given = textOption(options, 'config')
  if (given !== undefined) return given
  if (existsSync(join(cwd, 'postern.yaml'))) return 'postern.yaml'
  return existsSync(SYSTEM_FILE) ? SYSTEM_FILE : undefined
}

/** @throws {OperatorError} with the exit code of a wrong config when there is no file */
export function requireConfigFile(invocation: Pick<Invocation, 'options' | 'cwd'>): string {
  const file = findConfigFile(invocation)
  if (file !== undefined) return file
  throw new OperatorError(`no config: neither ./postern.yaml nor ${SYSTEM_FILE} exists. Name one with --config FILE, or try \`postern dev\`.`, EXIT.config)
}
