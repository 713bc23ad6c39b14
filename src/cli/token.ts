import { textOption, textOptions, type OptionValues, type Run } from './command.ts'
import { mintToken } from './dev/issuer.ts'
import { isRunning, readDevState } from './dev/state.ts'
import { EXIT, OperatorError, UsageError } from './exit-codes.ts'

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** Seconds; negative for a token that is already over. */
function lifetime(text: string): number {
  const match = /^(-?\d{1,6})([smhd])$/.exec(text)
  if (!match) throw new UsageError(`--exp ${text}: expected a duration such as 30s, 5m or 1h`)
  return Number(match[1]) * (UNITS[match[2] ?? 's'] ?? 1)
}

function claim(text: string): [string, unknown] {
  const at = text.indexOf('=')
  if (at < 1) throw new UsageError(`--claim ${text}: expected NAME=VALUE`)
  const value = text.slice(at + 1)
  try {
    return [text.slice(0, at), JSON.parse(value)]
  } catch {
    return [text.slice(0, at), value]
  }
}

function claimsOf(options: OptionValues): Record<string, unknown> {
  const scopes = textOption(options, 'scopes')
  const audience = textOption(options, 'aud')
  return { ...Object.fromEntries(textOptions(options, 'claim').map(claim)), ...(audience !== undefined && { aud: audience }), ...(scopes === undefined ? {} : { scope: scopes.split(/[, ]+/).filter((scope) => scope !== '').join(' ') }) }
}

/** `postern token SUB`: a token of the local issuer, for the dev instance of this checkout and nobody else. */
export const run: Run = async ({ positionals, options, terminal, env }) => {
  const [subject = ''] = positionals
  const seconds = lifetime(textOption(options, 'exp') ?? '5m')
  const claims = claimsOf(options)
  const state = readDevState(env)
  if (!state) throw new OperatorError('no dev instance was started here, so there is nobody who would accept the token. Start one with `npm start` or `postern dev`.')
  if (!isRunning(state)) terminal.say(`${terminal.paint('yellow', '!')} the dev instance is not running; the token is for its next start`)
  const token = await mintToken({ key: state.key, issuer: state.issuer, audience: state.audience, subject, seconds, claims })
  terminal.out(options['json'] === true ? JSON.stringify({ token, expires_in: seconds }) : token)
  return EXIT.ok
}
