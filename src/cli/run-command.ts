import { parseArgs } from 'node:util'
import type { Command, OptionValues } from './command.ts'
import { COMMANDS, DEFAULT_COMMAND, GLOBAL_OPTIONS } from './commands.ts'
import { EXIT, OperatorError, UsageError } from './exit-codes.ts'
import { createTerminal, type Terminal } from './terminal.ts'
import { commandUsage, generalUsage } from './usage.ts'
import { VERSION } from './version.ts'

interface Call {
  readonly name: string
  readonly command: Command
  readonly options: OptionValues
  readonly positionals: readonly string[]
}

const isOption = (argument: string | undefined): boolean => argument === undefined || argument.startsWith('-')

/** @throws {UsageError} for unknown commands and options, and too few or too many arguments */
function parse(argv: readonly string[]): Call {
  const name = isOption(argv[0]) ? DEFAULT_COMMAND : (argv[0] ?? DEFAULT_COMMAND)
  const command = COMMANDS[name]
  if (!Object.hasOwn(COMMANDS, name) || !command) throw new UsageError(`there is no command "${name}". Commands: ${Object.keys(COMMANDS).join(', ')}`)
  const { values, positionals } = parsed(isOption(argv[0]) ? argv : argv.slice(1), command)
  const { minimum, maximum } = command
  if (values['help'] !== true && (positionals.length < minimum || positionals.length > maximum)) {
    throw new UsageError(`postern ${name} takes ${command.arguments === '' ? 'no arguments' : command.arguments}, got ${positionals.length === 0 ? 'none' : positionals.join(' ')}${upstreamMeant(name, positionals)}`)
  }
  return { name, command, options: values, positionals }
}

/** `postern dev http://localhost:3000` is clear enough to be answered with how it is written. */
const upstreamMeant = (name: string, [first = '']: readonly string[]): string => (name === 'dev' && /^https?:\/\//.test(first) ? `. To guard that API: \`npm start -- --upstream ${first}\`` : '')

function parsed(args: readonly string[], command: Command): { values: OptionValues; positionals: string[] } {
  try {
    return parseArgs({ args: [...args], options: { ...GLOBAL_OPTIONS, ...command.options }, allowPositionals: true, strict: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** Where the arguments of the command that was meant are explained. */
const helpFor = ([name = '']: readonly string[]): string => (Object.hasOwn(COMMANDS, name) ? `postern ${name} --help` : 'postern --help')

function failed(error: unknown, terminal: Terminal, argv: readonly string[]): number {
  if (error instanceof UsageError) {
    terminal.complain(`${terminal.paint('red', '✗')} ${error.message}\n  ${helpFor(argv)}`)
    return EXIT.usage
  }
  if (error instanceof OperatorError) {
    terminal.complain(`${terminal.paint('red', '✗')} ${error.message}`)
    return error.exitCode
  }
  terminal.complain(`${terminal.paint('red', '✗')} a bug in Postern: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  return EXIT.failure
}

async function execute({ name, command, options, positionals }: Call, terminal: Terminal): Promise<number> {
  if (options['help'] === true) {
    terminal.out(commandUsage(name, command))
    return EXIT.ok
  }
  const { run } = await command.load()
  return run({ positionals, options, terminal, env: process.env, cwd: process.cwd() })
}

/** Runs the command that the arguments name and gives the exit code. Never rejects. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  const asked = argv[0]
  // Colours and quiet are needed to complain about a command line that cannot be parsed.
  const terminal = createTerminal({ quiet: argv.includes('--quiet') || argv.includes('-q'), plain: argv.includes('--no-color'), env: process.env })
  try {
    if (asked === '--help' || asked === '-h' || asked === 'help') {
      terminal.out(generalUsage())
      return EXIT.ok
    }
    if (asked === '--version') {
      terminal.out(VERSION)
      return EXIT.ok
    }
    return await execute(parse(argv), terminal)
  } catch (error) {
    return failed(error, terminal, argv)
  }
}
