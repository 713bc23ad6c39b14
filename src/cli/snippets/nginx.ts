import { serverName, type Snippet, type SnippetFacts } from './facts.ts'

/** Statuses that nginx would turn into 500, and the two that it knows. */
const STATUSES = [400, 401, 404, 405, 413, 414, 429, 431, 500, 503]

const variableOf = (header: string): string => header.toLowerCase().replace(/[^a-z0-9]/g, '_')

const indented = (lines: readonly string[]): string => lines.map((line) => `    ${line}`).join('\n')

/** How the client is named: one header is ours, the others must not be the client's. */
const CLIENT_IP = { 'x-forwarded-for': '$remote_addr', 'x-real-ip': '$remote_addr', forwarded: '"for=$remote_addr"' } as const

function checkHeaders({ clientIp, secret }: SnippetFacts): string[] {
  const names = Object.keys(CLIENT_IP) as (keyof typeof CLIENT_IP)[]
  return [
    'proxy_set_header X-Original-URL $scheme://$http_host$request_uri;',
    'proxy_set_header X-Original-Method $request_method;',
    'proxy_set_header X-Original-URI "";',
    ...names.map((name) => `proxy_set_header ${name} ${name === clientIp ? CLIENT_IP[name] : '""'};`),
    'proxy_set_header X-Forwarded-Host "";',
    'proxy_set_header X-Forwarded-Proto "";',
    secret ? 'include /etc/nginx/postern-secret;  # one line: proxy_set_header X-Postern-Secret "…";' : 'proxy_set_header X-Postern-Secret "";',
  ]
}

function guardedLocation({ identity, stripped }: SnippetFacts): string {
  const copied = [...identity, ...stripped]
  return `  location / {
    auth_request /_postern_check;
    auth_request_set $postern_status $upstream_http_x_auth_status;
    auth_request_set $postern_body $upstream_http_x_auth_body;
    auth_request_set $postern_www_authenticate $upstream_http_www_authenticate;
    auth_request_set $postern_retry_after $upstream_http_retry_after;
    auth_request_set $postern_request_id $upstream_http_x_request_id;
    auth_request_set $postern_ratelimit $upstream_http_ratelimit;
    auth_request_set $postern_ratelimit_policy $upstream_http_ratelimit_policy;
${indented(copied.map((name) => `auth_request_set $postern_set_${variableOf(name)} $upstream_http_${variableOf(name)};`))}
    error_page 401 403 = @postern_refused;

    # Whatever the client sent under these names is replaced; an empty value removes the header.
${indented(copied.map((name) => `proxy_set_header ${name} $postern_set_${variableOf(name)};`))}
    proxy_set_header X-Original-URL "";
    proxy_set_header X-Original-URI "";
    proxy_set_header X-Original-Method "";
    proxy_set_header X-Postern-Secret "";
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $postern_connection;
    proxy_http_version 1.1;
    add_header RateLimit $postern_ratelimit;
    add_header RateLimit-Policy $postern_ratelimit_policy;
    proxy_pass http://guarded_api;
  }`
}

/** nginx compares with names alone, never with addresses. */
const overTls = ({ postern }: SnippetFacts): string[] => [
  'proxy_ssl_trusted_certificate /etc/nginx/postern-ca.pem;',
  'proxy_ssl_verify on;',
  'proxy_ssl_server_name on;',
  `proxy_ssl_name ${serverName(postern)};`,
]

const checkLocation = (facts: SnippetFacts): string => `  location = /_postern_check {
    internal;
    proxy_pass http${facts.tls ? 's' : ''}://postern/_postern/nginx;
${facts.tls ? `${indented(overTls(facts))}\n` : ''}    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    proxy_set_header Connection "";
    proxy_http_version 1.1;
${indented(checkHeaders(facts))}
  }`

const refusedLocation = ({ refusalType }: SnippetFacts): string => `  # nginx passes on 401 and 403 alone, without their bodies: status and body are put back from headers.
  location @postern_refused {
    internal;
    default_type ${refusalType};
    add_header WWW-Authenticate $postern_challenge always;
    add_header Retry-After $postern_retry_after always;
    add_header X-Request-Id $postern_request_id always;
    add_header RateLimit $postern_ratelimit always;
    add_header RateLimit-Policy $postern_ratelimit_policy always;
    add_header Cache-Control no-store always;
${indented(STATUSES.map((status) => `if ($postern_status = ${status}) { return ${status} $postern_body; }`))}
    return 403 $postern_body;
  }`

/** A file for /etc/nginx/conf.d: nginx in front of an API, Postern asked about each request. */
export function nginxSnippet(facts: SnippetFacts): Snippet {
  const text = `# /etc/nginx/conf.d/postern.conf, made by \`postern snippet nginx\`.
upstream postern {
  server ${facts.postern};
  keepalive 16;
}
upstream guarded_api {
  server ${facts.api};
  keepalive 16;
}
map $http_upgrade $postern_connection {
  default upgrade;
  ""      "";
}
# The challenges of a 401 are passed on by auth_request itself.
map $postern_status $postern_challenge {
  default $postern_www_authenticate;
  401     "";
}

server {
  # The default of its address: without it another server, such as the one a distribution brings, could take the requests and guard
  # nothing. "a duplicate default server" means that there is one: remove it (Debian: rm /etc/nginx/sites-enabled/default).
  listen ${facts.listen} default_server;
  # The default, and needed: X_User_Id would be X-User-Id to many frameworks.
  underscores_in_headers off;

${guardedLocation(facts)}

${checkLocation(facts)}

${refusedLocation(facts)}
}
`
  return new Map([['postern.conf', text]])
}
