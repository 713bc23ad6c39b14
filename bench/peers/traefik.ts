import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { JWT, preparePostern, snippetFiles } from '../postern.ts'
import { binaryOf, freePort, type Server, start, startBoth } from '../processes.ts'
import { asking, type Peer, type Setting, showing } from '../target.ts'

/** JSON in files of YAML, which is what it takes. */
async function startTraefik(binary: string, directory: string, port: number, dynamic: string): Promise<Server> {
  const [config, rules] = [join(directory, `traefik-${port}.yaml`), join(directory, `traefik-rules-${port}.yaml`)]
  writeFileSync(rules, dynamic)
  writeFileSync(config, JSON.stringify({
    global: { checkNewVersion: false, sendAnonymousUsage: false },
    log: { level: 'ERROR' },
    entryPoints: { clients: { address: `127.0.0.1:${port}` } },
    providers: { file: { filename: rules, watch: false } },
  }))
  return start({ port, command: [binary, `--configFile=${config}`], env: { GOMAXPROCS: '1' } })
}

const bare = (upstreamPort: number): string => JSON.stringify({
  http: { routers: { api: { rule: 'PathPrefix(`/`)', service: 'api' } }, services: { api: { loadBalancer: { servers: [{ url: `http://127.0.0.1:${upstreamPort}` }] } } } },
})

/** Traefik on one processor: bare, and with its forwardAuth asking Postern as `postern snippet traefik` says. */
export function traefik(setting: Setting): Peer | undefined {
  const binary = binaryOf('traefik')
  if (binary === undefined) return undefined
  const { directory, upstreamPort, issued } = setting
  return {
    version: `traefik ${/Version:\s*(\S+)/.exec(spawnSync(binary, ['version'], { encoding: 'utf8' }).stdout)?.[1] ?? ''}`,
    targets: [
      { name: 'traefik bare', what: 'no authentication', kind: 'bare', warms: false, send: asking(), start: async () => startTraefik(binary, directory, await freePort(), bare(upstreamPort)) },
      { name: 'traefik forwardAuth, Postern', what: 'asks Postern; both together', warms: true, ...showing(issued.token), start: async () => {
        const port = await freePort()
        const postern = await preparePostern(setting, { auth: JWT(issued.jwks), mode: 'forward' })
        const snippet = snippetFiles(setting, postern, 'traefik', port)['dynamic.yaml'] ?? ''
        return startBoth(postern.start, () => startTraefik(binary, directory, port, snippet))
      } },
    ],
  }
}
