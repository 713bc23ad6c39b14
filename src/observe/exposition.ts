/** The body of /metrics and its media type. */
export interface Exposition {
  readonly contentType: string
  readonly body: string
}

const CLASSIC = 'text/plain; version=0.0.4; charset=utf-8'
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** Weight that an `Accept` field gives a media type (RFC 9110 section 12.4.2); 0 when it is not named. */
function weightOf(accept: string, type: string): number {
  for (const entry of accept.split(',')) {
    const [name = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase())
    if (name !== type) continue
    const weight = parameters.find((parameter) => parameter.startsWith('q='))
    return weight === undefined ? 1 : Number(weight.slice(2)) || 0
  }
  return 0
}

/**
 * Classic text, or the same samples as OpenMetrics when the scraper prefers it. OpenMetrics names a counter's family without
 * `_total`, knows no blank lines and ends in `# EOF`. (The library would do it by renaming its metrics for good, after which
 * no classic scrape is right any more.)
 */
export function exposition(classic: string, accept = ''): Exposition {
  const wanted = weightOf(accept, 'application/openmetrics-text')
  if (wanted === 0 || wanted < weightOf(accept, 'text/plain')) return { contentType: CLASSIC, body: classic }
  const body = classic
    .replace(/^# (HELP|TYPE) (\w+?)_total (.*)$/gm, '# $1 $2 $3')
    .replace(/\n{2,}/g, '\n')
  return { contentType: OPEN_METRICS, body: `${body.trimEnd()}\n# EOF\n` }
}
