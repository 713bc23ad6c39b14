import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { JWT, preparePostern, snippetFiles } from '../postern.ts'
import { binaryOf, freePort, type Server, start, startBoth } from '../processes.ts'
import { asking, type Peer, type Setting, showing } from '../target.ts'

const GLOBAL = '{\n admin off\n auto_https off\n log {\n  output discard\n }\n}\n'

async function startCaddy(binary: string, directory: string, port: number, site: string): Promise<Server> {
  const file = join(directory, `Caddyfile-${port}`)
  writeFileSync(file, GLOBAL + site)
  return start({ port, command: [binary, 'run', '--config', file, '--adapter', 'caddyfile'], env: { GOMAXPROCS: '1', HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory } })
}

/** Caddy on one processor: bare, and asking Postern as `postern snippet caddy` says. */
export function caddy(setting: Setting): Peer | undefined {
  const binary = binaryOf('caddy')
  if (binary === undefined) return undefined
  const { directory, upstreamPort, issued } = setting
  return {
    version: `caddy ${spawnSync(binary, ['version'], { encoding: 'utf8' }).stdout.split(' ')[0]?.trim() ?? ''}`,
    targets: [
      { name: 'caddy reverse_proxy', what: 'no authentication', kind: 'bare', warms: false, send: asking(), start: async () => {
        const port = await freePort()
        return startCaddy(binary, directory, port, `http://:${port} {\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:${upstreamPort}\n}\n`)
      } },
      { name: 'caddy forward_auth, Postern', what: 'asks Postern; both together', warms: true, ...showing(issued.token), start: async () => {
        const port = await freePort()
        const postern = await preparePostern(setting, { auth: JWT(issued.jwks), mode: 'forward' })
        const snippet = snippetFiles(setting, postern, 'caddy', port)['Caddyfile'] ?? ''
        return startBoth(postern.start, () => startCaddy(binary, directory, port, snippet))
      } },
    ],
  }
}
