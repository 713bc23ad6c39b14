import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { JWT, preparePostern, snippetFiles } from '../postern.ts'
import { binaryOf, freePort, type Server, start, startBoth } from '../processes.ts'
import { asking, bearer, type Peer, type Setting, showing } from '../target.ts'

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

async function startNginx(binary: string, directory: string, port: number, http: string): Promise<Server> {
  const at = join(directory, `nginx-${port}`)
  mkdirSync(at, { recursive: true })
  writeFileSync(join(at, 'nginx.conf'), `daemon off; worker_processes 1; pid ${at}/pid; error_log /dev/null; events { worker_connections 1024; }
http { access_log off; keepalive_requests 10000000; ${TEMPORARY.map((kind) => `${kind}_temp_path ${at}/${kind};`).join(' ')}
${http}
}`)
  return start({ port, command: [binary, '-e', 'stderr', '-c', join(at, 'nginx.conf'), '-p', at] })
}

const upstream = (port: number): string => `upstream app { server 127.0.0.1:${port}; keepalive 64; }`
const PASS = 'proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";'

/** nginx with one worker: bare, asking an empty 204 of its own about each request, and asking Postern as `postern snippet nginx` says. */
export function nginx(setting: Setting): Peer | undefined {
  const binary = binaryOf('nginx')
  if (binary === undefined) return undefined
  const { directory, upstreamPort, issued } = setting
  return {
    version: spawnSync(binary, ['-v'], { encoding: 'utf8' }).stderr.trim(),
    targets: [
      { name: 'nginx proxy_pass', what: 'no authentication, one worker', kind: 'bare', warms: false, send: asking(), start: async () => {
        const port = await freePort()
        return startNginx(binary, directory, port, `${upstream(upstreamPort)} server { listen 127.0.0.1:${port}; location / { ${PASS} } }`)
      } },
      { name: 'nginx auth_request, 204', what: 'asks an empty 204 of its own: the mechanism alone', kind: 'bare', warms: false, send: asking({ headers: [bearer(issued.token)] }), start: async () => {
        const [port, yes] = [await freePort(), await freePort()]
        return startNginx(binary, directory, port, `${upstream(upstreamPort)} upstream yes { server 127.0.0.1:${yes}; keepalive 64; }
server { listen 127.0.0.1:${yes}; location / { return 204; } }
server { listen 127.0.0.1:${port}; location / { auth_request /check; ${PASS} } location = /check { internal; proxy_pass http://yes; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass_request_body off; proxy_set_header Content-Length ""; } }`)
      } },
      { name: 'nginx auth_request, Postern', what: 'asks Postern; both together', warms: true, ...showing(issued.token), start: async () => {
        const port = await freePort()
        const postern = await preparePostern(setting, { auth: JWT(issued.jwks), mode: 'forward' })
        const snippet = snippetFiles(setting, postern, 'nginx', port)['postern.conf'] ?? ''
        return startBoth(postern.start, () => startNginx(binary, directory, port, snippet))
      } },
    ],
  }
}
