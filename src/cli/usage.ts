import type { Command, CommandOption } from './command.ts'
import { COMMANDS, DEFAULT_COMMAND, GLOBAL_OPTIONS } from './commands.ts'

const table = (rows: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}

function optionRow([name, { short, value, help }]: readonly [string, CommandOption]): readonly [string, string] {
  return [`${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`, help]
}

/** The list of commands. */
export function generalUsage(): string {
  return [
    'usage: postern [COMMAND] [OPTIONS]',
    '',
    table(Object.entries(COMMANDS).map(([name, { summary }]) => [name, name === DEFAULT_COMMAND ? `${summary} (default)` : summary])),
    '',
    table(Object.entries(GLOBAL_OPTIONS).map(optionRow)),
    '',
    'postern COMMAND --help says more. Exit codes: 0 fine, 1 failed, 2 wrong usage, 78 wrong config.',
  ].join('\n')
}

/** How one command is called. */
export function commandUsage(name: string, command: Command): string {
  const parts = ['usage: postern', name, command.arguments, '[OPTIONS]'].filter((part) => part !== '')
  return [parts.join(' '), '', `  ${command.summary}`, '', table(Object.entries({ ...command.options, ...GLOBAL_OPTIONS }).map(optionRow))].join('\n')
}
