import { caddySnippet } from '../../../src/cli/snippets/caddy.ts'
import { haproxySnippet } from '../../../src/cli/snippets/haproxy.ts'
import { nginxSnippet } from '../../../src/cli/snippets/nginx.ts'
import { type CallerKind, portOf, startProgram } from './process.ts'

/** The files of the snippets are mounted as they are; what stands around them is what a distribution brings. */

export const NGINX_MAIN = `daemon off; worker_processes 1; pid @FOLDER@/pid; error_log stderr warn;
events { worker_connections 256; }
http { access_log off; ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path @FOLDER@/${kind};`).join(' ')} include @FOLDER@/postern.conf; }
`

/** What a Caddy of a test needs besides. */
export const CADDY_MAIN = '{\n\tadmin off\n\tauto_https off\n}\n'

export const NGINX: CallerKind = {
  name: 'nginx',
  real: true,
  start: (facts) => startProgram({ files: new Map([...nginxSnippet(facts), ['nginx.conf', NGINX_MAIN]]), command: (folder) => ['nginx', '-e', 'stderr', '-c', `${folder}/nginx.conf`, '-p', folder], port: portOf(facts) }),
}

export const CADDY: CallerKind = {
  name: 'Caddy',
  real: true,
  start: (facts) => startProgram({ files: new Map([...caddySnippet(facts)].map(([name, text]) => [name, CADDY_MAIN + text])), command: (folder) => ['caddy', 'run', '--config', `${folder}/Caddyfile`, '--adapter', 'caddyfile'], port: portOf(facts) }),
}

export const HAPROXY: CallerKind = {
  name: 'HAProxy',
  real: true,
  start: (facts) => startProgram({ files: new Map([...haproxySnippet(facts)].map(([name, text]) => [name, text.replace('lua-load /etc/haproxy/', 'lua-load @FOLDER@/')])), command: (folder) => ['haproxy', '-db', '-f', `${folder}/haproxy.cfg`], port: portOf(facts) }),
}
