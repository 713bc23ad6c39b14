import { CidrError, createCidrSet } from '../base/cidr.ts'
import { checkAdmin } from './admin-settings.ts'
import { checkForwardAuth, forwardAuthWarnings } from './check-forward-auth.ts'
import { checkHeaders } from './check-headers.ts'
import { browserWarnings, networkWarnings, observeWarnings } from './check-openness.ts'
import { checkListeners } from './check-listeners.ts'
import { checkLoops } from './check-loop.ts'
import { checkNames } from './check-names.ts'
import { checkPaths, methodWarnings } from './check-paths.ts'
import { placeholderWarnings } from './check-placeholders.ts'
import { checkQuotas } from './check-quotas.ts'
import { checkStore, storeWarnings } from './compile-store.ts'
import { namedFiles } from './file-paths.ts'
import type { Finding, Findings } from './finding.ts'
import type { ConfigPath } from './mistake.ts'
import type { Config } from './schema.ts'
import { unreadable, type ReadFile } from './secrets.ts'

export { clientAddress } from './check-listeners.ts'
export type { Finding, Findings } from './finding.ts'

/** What is looked at besides the config; both may be left out. */
export interface Surroundings {
  readonly env?: NodeJS.ProcessEnv
  /** Given: files that the config names must be readable. */
  readonly readFile?: ReadFile
}

/**
 * What is wrong with the meaning of a config whose every value is well-formed. Builds nothing, asks nobody: whatever needs a library
 * (key sets, expressions, templates) is told by `compile`. Paths are those of the long form.
 */
export function semanticMistakes(config: Config, { env = {}, readFile }: Surroundings = {}): Findings {
  const names = checkNames(config)
  return {
    mistakes: [
      ...checkEnvironment(env),
      ...checkAdmin(config),
      ...checkListeners(config),
      ...checkLoops(config),
      ...checkNetworks(config),
      ...checkForwardAuth(config),
      ...names.mistakes,
      ...checkPaths(config),
      ...checkQuotas(config),
      ...checkHeaders(config),
      ...checkCors(config),
      ...checkStore(config),
      ...(readFile ? checkFiles(config, readFile) : []),
    ],
    warnings: [...observeWarnings(config), ...names.warnings, ...forwardAuthWarnings(config), ...checkClientIp(config), ...storeWarnings(config), ...methodWarnings(config), ...placeholderWarnings(config), ...networkWarnings(config), ...browserWarnings(config)],
  }
}

function checkEnvironment(env: NodeJS.ProcessEnv): readonly Finding[] {
  return env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0' ? [{ path: [], message: 'NODE_TLS_REJECT_UNAUTHORIZED=0 turns off the verification of every certificate; unset it, and name the authority with "ca:" or NODE_EXTRA_CA_CERTS' }] : []
}

function checkNetworks(config: Config): readonly Finding[] {
  const lists: readonly (readonly [readonly string[] | undefined, ConfigPath])[] = [
    [config.allowed_networks, ['allowed_networks']],
    [config.denied_networks, ['denied_networks']],
    [config.admin?.allowed_networks, ['admin', 'allowed_networks']],
    [config.admin?.denied_networks, ['admin', 'denied_networks']],
    ...(config.routes ?? []).flatMap((route, index): [readonly string[] | undefined, ConfigPath][] => [[route.allowed_networks, ['routes', index, 'allowed_networks']], [route.denied_networks, ['routes', index, 'denied_networks']]]),
    ...Object.entries(config.authenticators ?? {}).flatMap(([name, authenticator]) => ('keys' in authenticator ? (authenticator.keys ?? []) : []).map((key, index): [readonly string[] | undefined, ConfigPath] => [key.allowed_networks, ['authenticators', name, 'keys', index, 'allowed_networks']])),
  ]
  const trusted = config.client_ip.trusted_proxies
  const path = ['client_ip', 'trusted_proxies']
  return [
    ...lists.flatMap(([networks, at]) => badNetworks(networks ?? [], at)),
    ...badNetworks(trusted, path).filter(({ path: at }) => !['*', 'unix'].includes(trusted[Number(at.at(-1))] ?? '')),
    ...trusted.flatMap((network, index): Finding[] => (holdsEverybody(network) ? [{ path: [...path, index], message: `"${network}" would let every client choose its own address; name the networks of your proxies` }] : [])),
  ]
}

const ENDS = [['0.0.0.0', '255.255.255.255'], ['0:0:0:0:0:0:0:0', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']] as const

/** `*`, and a network of prefix 0 in any spelling: `::ffff:0.0.0.0/96` is all of IPv4. */
function holdsEverybody(network: string): boolean {
  try {
    const { contains } = createCidrSet([network])
    return ENDS.some(([first, last]) => contains(first) && contains(last))
  } catch (error) {
    if (error instanceof CidrError) return false
    throw error
  }
}

/** Each network on its own, so that every wrong one is named. */
function badNetworks(networks: readonly string[], path: ConfigPath): readonly Finding[] {
  return networks.flatMap((network, index): Finding[] => {
    if (network === '*') return networks.length > 1 ? [{ path: [...path, index], message: '"*" stands for every network; with it the others mean nothing' }] : []
    try {
      createCidrSet([network])
      return []
    } catch (error) {
      if (!(error instanceof CidrError)) throw error
      return [{ path: [...path, index], message: error.message }]
    }
  })
}

function checkClientIp(config: Config): readonly Finding[] {
  if (config.client_ip.trusted_proxies.length > 0 || config.client_ip.direct || config.mode === 'forward_auth') return []
  return [{ path: ['client_ip', 'trusted_proxies'], message: "empty. Behind a load balancer every caller would have the balancer's address and share one rate limit. Add its CIDR, or set client_ip.direct: true to silence this", needs: ['client_ip'] }]
}

function checkCors(config: Config): readonly Finding[] {
  const policies: readonly (readonly [Config['cors'], ConfigPath])[] = [[config.cors, ['cors']], ...(config.routes ?? []).map((route, index) => [route.cors, ['routes', index, 'cors']] as const)]
  return policies.flatMap(([cors, path]): Finding[] => {
    if (!cors) return []
    const odd = cors.origins.findIndex((origin) => origin !== '*' && !isOrigin(origin))
    return [
      ...(cors.origins.includes('*') && cors.credentials ? [{ path: [...path, 'credentials'], message: 'never together with origins "*": any page could act for the user; list the origins' }] : []),
      ...(odd < 0 ? [] : [{ path: [...path, 'origins', odd], message: `${JSON.stringify(cors.origins[odd])} – expected an origin such as "https://app.example.com", without a path` }]),
    ]
  })
}

const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text

function checkFiles(config: Config, readFile: ReadFile): readonly Finding[] {
  return namedFiles(config).flatMap(({ path, file }): Finding[] => {
    try {
      readFile(file)
      return []
    } catch (error) {
      return [{ path, message: `file ${file} ${unreadable(error)}` }]
    }
  })
}
