import { withoutBlanks } from '../base/blanks.ts'

/** Name of one `name=value` piece; a piece without `=` counts as a name, since some readers take it for one. */
function nameOf(piece: string): string {
  const equals = piece.indexOf('=')
  return (equals < 0 ? piece : piece.slice(0, equals)).trim()
}

/**
 * A `Cookie` line without the cookies of these exact names, the others byte for byte; undefined when none is left. Quotes are
 * not respected (RFC 6265 section 5.4): a reader that does would otherwise be shown a session cookie inside another's quotes.
 */
export function withoutCookies(line: string, names: readonly string[]): string | undefined {
  if (names.length === 0) return line
  const pieces = line.split(';')
  const kept = pieces.filter((piece) => !names.includes(nameOf(piece)))
  if (kept.length === pieces.length) return line
  const rest = withoutBlanks(kept.join(';'))
  return rest === '' ? undefined : rest
}
