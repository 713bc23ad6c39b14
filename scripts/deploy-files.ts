import { join } from 'node:path'
import { SNIPPETS } from '../src/cli/snippets/all.ts'
import { factsOf, type SnippetFacts } from '../src/cli/snippets/facts.ts'
import { compile } from '../src/config/compile.ts'
import { loadConfig } from '../src/config/load.ts'
import { createResources } from '../src/config/resources.ts'
import { SILENT } from '../src/model/event.ts'

const ROOT = join(import.meta.dirname, '..')

/** Facts of a config that is shipped as an example. */
function factsOfFile(file: string): SnippetFacts {
  const { config } = loadConfig({ file: join(ROOT, file), env: {} })
  const resources = createResources({ clock: Date.now, observer: SILENT })
  resources.begin()
  const { authenticators, gateway } = compile(config, resources)
  void resources.closeAll()
  return factsOf({ config, wire: gateway.wire, authenticators: [...authenticators.values()].map(({ authenticator }) => authenticator), version: '0.1.0' })
}

const FORWARD_AUTH = 'deploy/kubernetes/forward-auth/postern.yaml'
const SIDECAR = 'deploy/kubernetes/sidecar/postern.yaml'
const COMPOSE = 'deploy/compose/postern.yaml'

/** Snippet, the config it is made for, and the folder it stands in. */
const PLACES = [
  ['nginx', FORWARD_AUTH, 'nginx'], ['caddy', FORWARD_AUTH, 'caddy'], ['traefik', FORWARD_AUTH, 'traefik'], ['haproxy', FORWARD_AUTH, 'haproxy'],
  ['envoy', FORWARD_AUTH, 'envoy'], ['envoy-gateway', FORWARD_AUTH, 'envoy-gateway'], ['istio', FORWARD_AUTH, 'istio'],
  ['kubernetes', FORWARD_AUTH, 'kubernetes/forward-auth'], ['kubernetes', SIDECAR, 'kubernetes'], ['compose', COMPOSE, 'compose'],
  ['systemd', SIDECAR, 'systemd'], ['prometheus', SIDECAR, 'prometheus'],
] as const

/** What `postern snippet` prints for the example configs: path from the root of the project to text. */
export const deployFiles = (): ReadonlyMap<string, string> =>
  new Map(PLACES.flatMap(([name, config, folder]) => [...(SNIPPETS[name]?.make(factsOfFile(config)) ?? [])].map(([file, text]) => [`deploy/${folder}/${file}`, text] as const)))
