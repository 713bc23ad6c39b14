import { keyCountsOf } from '../config/compile-managed-keys.ts'
import type { LoadedConfig } from '../config/load.ts'
import { pathText, type ConfigPath } from '../config/mistake.ts'
import type { Resources } from '../config/resources.ts'
import type { Config, QuotaConfig } from '../config/schema.ts'
import type { PageFacts, ShownLimit, ShownSetting } from '../faces/admin/page-views.ts'
import { KeyActRefused } from '../keys/key-request.ts'
import type { Recent } from '../observe/recent.ts'
import { UsageError } from './exit-codes.ts'
import { explanationText } from './explanation-text.ts'
import { explainRequest } from './explanation.ts'
import { compileLoaded, passingResources, providersTried } from './load-config.ts'
import { lookingLimiter } from './looking-limiter.ts'
import type { Prepared } from './load-config.ts'
import { sketchRequest } from './sketched-request.ts'
import { VERSION } from './version.ts'

export interface AdminFactsOptions {
  readonly current: () => Prepared
  readonly resources: Resources
  readonly recent: Recent
}

/** Every value that is not a map or a list, with its path. */
function leavesOf(value: unknown, path: ConfigPath): readonly (readonly [ConfigPath, unknown])[] {
  if (Array.isArray(value)) return value.length === 0 ? [[path, '[]']] : value.flatMap((item: unknown, index) => leavesOf(item, [...path, index]))
  if (typeof value === 'object' && value !== null) return Object.entries(value).flatMap(([key, item]: [string, unknown]) => (item === undefined ? [] : leavesOf(item, [...path, key])))
  return [[path, value]]
}

/** A value and everything around it, from the outside: one text in the file may have become a map or a list. */
const around = (path: ConfigPath): readonly ConfigPath[] => path.map((_segment, index) => path.slice(0, index + 1))

/** Of the value, or of the reference that it was a part of. */
function originText(loaded: LoadedConfig, path: ConfigPath): string {
  const origins = around(path).map((each) => loaded.originOf(each))
  const origin = origins.findLast((each) => each.kind === 'variable' || (each.kind === 'file' && each.reference !== undefined)) ?? loaded.originOf(path)
  if (origin.kind === 'default') return 'default'
  if (origin.kind === 'variable') return `variable ${origin.name}`
  return `${origin.line > 0 ? `line ${origin.line}` : 'the file'}${origin.reference === undefined ? '' : `, ${origin.reference}`}`
}

/** A URL with a password in it is a secret wherever it stands. */
const holdsPassword = (value: unknown): boolean => typeof value === 'string' && /^[a-z][a-z0-9+.-]*:\/\/[^/@\s]*@/i.test(value)

const settingsOf = (loaded: LoadedConfig): readonly ShownSetting[] =>
  leavesOf(loaded.config, []).map(([path, value]) => ({ path: pathText(path), value: around(path).some(loaded.isSecret) || holdsPassword(value) ? '(hidden)' : String(value), origin: originText(loaded, path) }))

const limitOf = (where: string) => ({ name, limit, window, key }: QuotaConfig): ShownLimit =>
  ({ name, where, key, limit: typeof limit === 'number' ? `${limit} per ${(window ?? 0) / 1_000} s` : `${limit.quota} per ${limit.windowMs / 1_000} s` })

function limitsOf({ rate_limit: global, routes = [], tiers = {} }: Config): readonly ShownLimit[] {
  return [
    ...global.map(limitOf('every guarded route')),
    ...routes.flatMap(({ name, match, rate_limit: own }) => (Array.isArray(own) ? own.map(limitOf(`route ${name ?? match.path.join(', ')}`)) : [])),
    ...Object.entries(tiers).flatMap(([tier, { limits }]) => limits.map(limitOf(`tier ${tier}`))),
  ]
}

/** `postern explain` for a form, on the config that runs. @throws {KeyActRefused} when it has not the form of a request */
async function explain(loaded: LoadedConfig, { method, path, token, key, ip, header }: Parameters<PageFacts['explain']>[0]): Promise<string> {
  const resources = passingResources()
  try {
    const options = { ip, ...(token !== '' && { token }), ...(key !== '' && { key }), ...(header !== '' && { header: [header] }) }
    // Standard input is nobody's here: `-` is an empty credential.
    const sketch = await sketchRequest({ positionals: [method, path], options, terminal: { readInput: async () => '' } }, loaded.config)
    const compiled = compileLoaded(loaded, { resources, options: { limiter: lookingLimiter() } })
    await providersTried(compiled)
    return explanationText(await explainRequest(sketch, compiled.gateway, resources.clock), { gateway: compiled.gateway, mode: loaded.config.mode, paint: (_color, words) => words })
  } catch (error) {
    if (error instanceof UsageError) throw new KeyActRefused('request_invalid', error.message)
    throw error
  } finally {
    await resources.closeAll()
  }
}

/** What the admin page shows of a running Postern. */
export function adminFacts({ current, resources, recent }: AdminFactsOptions): PageFacts {
  const loaded = (): LoadedConfig => current().loaded
  return {
    overview: () => [
      ['Version', VERSION],
      ['Node', process.versions.node],
      ['Config', `${loaded().file}, revision ${loaded().revision.slice(0, 12)}`],
      ['Running for', `${Math.floor(process.uptime())} s`],
      ['Memory', `${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`],
      ['Upstreams', [...current().compiled.gateway.upstreams.values()].map(({ id, origin, socketPath }) => `${id} ${socketPath ?? origin}`).join(', ')],
      ['Authenticators', [...current().compiled.authenticators.keys()].join(', ')],
    ],
    counts: () => keyCountsOf(loaded().config, resources),
    settings: () => settingsOf(loaded()),
    limits: () => limitsOf(loaded().config),
    decisions: recent.decisions,
    acts: recent.acts,
    explain: (request) => explain(loaded(), request),
  }
}
