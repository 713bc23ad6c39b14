type Field = readonly [name: string, value: string]

/** A non-negative whole number, or undefined. */
const numberOf = (text: string | undefined): number | undefined => (text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined)

/** All names that an answer varies by, each once; `*` swallows them. */
export function mergedVary(upstream: readonly string[], ours: string): string {
  const names = new Map<string, string>()
  for (const element of [...upstream, ours].flatMap((line) => line.split(','))) {
    const name = element.trim()
    if (name !== '' && !names.has(name.toLowerCase())) names.set(name.toLowerCase(), name)
  }
  return names.has('*') ? '*' : [...names.values()].join(', ')
}

/**
 * Rate-limit lists of the upstream with our members behind. Only a list of the present form (RFC 9651, a quoted name first) can
 * take them; an older form stays alone, since members of two forms make the field unreadable.
 */
export function mergedRateLimit(upstream: readonly string[], ours: string): string {
  if (upstream.length === 0) return ours
  const theirs = upstream.join(', ')
  return upstream.every((line) => line.trimStart().startsWith('"')) ? `${theirs}, ${ours}` : theirs
}

/** The later of two moments to come back. A date cannot be compared without a clock, so it stands. */
export function mergedRetryAfter(upstream: readonly string[], ours: string): string {
  const theirs = upstream[0] ?? ours
  const [one, other] = [numberOf(theirs), numberOf(ours)]
  return one !== undefined && other !== undefined && other > one ? ours : theirs
}

/**
 * Whether the upstream's X-RateLimit-* stay: the three belong together, and the tighter budget is the one to show. A remaining
 * count that cannot be read stays too, because ours might be looser.
 */
export function keepsUpstreamBudget(upstreamRemaining: readonly string[] | undefined, added: readonly Field[]): boolean {
  if (!upstreamRemaining || upstreamRemaining.length === 0) return false
  const ours = numberOf(added.find(([name]) => name.toLowerCase() === 'x-ratelimit-remaining')?.[1])
  const theirs = upstreamRemaining.length === 1 ? numberOf(upstreamRemaining[0]?.trim()) : undefined
  return ours === undefined || theirs === undefined || theirs < ours
}
