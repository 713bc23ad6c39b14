import type { LoadedConfig } from '../config/load.ts'
import { textOption, type Invocation, type Run } from './command.ts'
import { configFileOf, passingResources, prepareConfig, reportMistakes, warningsOf, type Prepared } from './load-config.ts'
import { EXIT, UsageError } from './exit-codes.ts'
import { checkAttack } from './doctor/check-attack.ts'
import { drainCheck, mountCheck, nodeCheck, trustCheck } from './doctor/config-checks.ts'
import { type Diagnosis, ok, warning } from './doctor/diagnosis.ts'
import { liveAttack } from './doctor/live-attack.ts'
import { peersCheck } from './doctor/live-peers.ts'
import { networkChecks } from './doctor/network-checks.ts'
import { selfAttack } from './doctor/self-attack.ts'

/** One address per issuer, for its clock. */
function issuersOf({ config }: LoadedConfig): readonly string[] {
  const urls = Object.values(config.authenticators ?? {}).flatMap((authenticator) => {
    if (authenticator.type === 'supabase') return [authenticator.url]
    return authenticator.type === 'jwt' ? [authenticator.jwks_url ?? authenticator.issuer?.[0]] : []
  })
  const known = new Map(urls.flatMap((url) => (url !== undefined && URL.canParse(url) ? [[new URL(url).origin, url] as const] : [])))
  return [...known.values()]
}

function configCheck(prepared: Prepared): Diagnosis {
  const warnings = warningsOf(prepared).length
  const { file } = prepared.loaded
  return warnings === 0 ? ok('config', `${file} is valid`) : warning('config', `${file} is valid, with ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`, 'postern check says which')
}

async function examine(invocation: Invocation, live: string | undefined): Promise<readonly Diagnosis[]> {
  const { env } = invocation
  const resources = passingResources()
  try {
    const prepared = prepareConfig({ file: configFileOf(invocation), env, resources })
    const { loaded, compiled } = prepared
    const { config } = loaded
    return [
      configCheck(prepared),
      nodeCheck(process.versions.node),
      ...mountCheck(loaded),
      trustCheck(config),
      drainCheck(config, env),
      ...(await networkChecks(compiled, { env, issuers: issuersOf(loaded) })),
      ...(await selfAttack(config, compiled.gateway)),
      ...(await checkAttack(compiled.gateway)),
      ...(live === undefined ? [] : [...(await peersCheck(config)), ...(await liveAttack(live, compiled.gateway))]),
    ]
  } finally {
    await resources.closeAll()
  }
}

const MARKS = { ok: ['✓', 'green'], warning: ['!', 'yellow'], problem: ['✗', 'red'] } as const

function printed(found: readonly Diagnosis[], { terminal: { paint } }: Invocation): string {
  const width = Math.max(...found.map(({ name }) => name.length))
  const lines = found.map(({ level, name, text, fix }) => {
    const [mark, color] = MARKS[level]
    return `${paint(color, mark)} ${name.padEnd(width)}  ${text}${fix === undefined ? '' : `\n  ${' '.repeat(width)}  ${paint('dim', 'fix')} ${fix}`}`
  })
  const of = (level: Diagnosis['level'], word: string): string => {
    const count = found.filter((one) => one.level === level).length
    return `${count} ${word}${count === 1 ? '' : 's'}`
  }
  return [...lines, `${of('problem', 'problem')}, ${of('warning', 'warning')}`].join('\n')
}

/** `postern doctor [--live URL]`: looks over a whole installation. Exit 1 when there is a problem; warnings alone are none. */
export const run: Run = async (invocation) => {
  const { terminal, options } = invocation
  const live = textOption(options, 'live')
  if (live !== undefined && !/^https?:\/\//.test(live)) throw new UsageError(`--live ${live}: expected a URL such as http://127.0.0.1:8080/orders`)
  try {
    const found = await examine(invocation, live)
    if (options['json'] === true) terminal.out(JSON.stringify(found))
    else terminal.say(printed(found, invocation))
    return found.some(({ level }) => level === 'problem') ? EXIT.failure : EXIT.ok
  } catch (error) {
    return reportMistakes(error, invocation)
  }
}
