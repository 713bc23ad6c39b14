import type { Command, CommandOption } from './command.ts'
import { DENY_COMMAND } from './deny-command.ts'
import { KEYS_COMMAND } from './keys-command.ts'
import { TEST_COMMAND } from './test-command.ts'

/** Options that every command takes. */
export const GLOBAL_OPTIONS: Readonly<Record<string, CommandOption>> = {
  config: { type: 'string', short: 'c', value: 'FILE', help: 'config file; default ./postern.yaml, then /etc/postern/postern.yaml' },
  json: { type: 'boolean', help: 'data as JSON on stdout' },
  quiet: { type: 'boolean', short: 'q', help: 'only what failed' },
  'no-color': { type: 'boolean', help: 'no colours (also NO_COLOR=1)' },
  help: { type: 'boolean', short: 'h', help: 'this text' },
}

const NO_ARGUMENTS = { arguments: '', minimum: 0, maximum: 0 } as const

/** Every command. The first is the default. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  run: { ...NO_ARGUMENTS, summary: 'guard the API that the config names', options: {}, load: () => import('./serve.ts') },
  check: { ...NO_ARGUMENTS, summary: 'read the config, print every mistake and what is exposed', options: {}, load: () => import('./check.ts') },
  explain: {
    summary: 'run one request through the real pipe and print each stage',
    arguments: 'METHOD PATH',
    minimum: 2,
    maximum: 2,
    options: {
      token: { type: 'string', value: 'TOKEN|-', help: 'bearer token; - reads it from stdin' },
      key: { type: 'string', value: 'KEY|-', help: 'API key, in the first carrier that the config names' },
      cookie: { type: 'string', value: 'NAME=VALUE', multiple: true, help: 'a cookie; may be repeated' },
      header: { type: 'string', short: 'H', value: "'NAME: VALUE'", multiple: true, help: 'a header; may be repeated' },
      ip: { type: 'string', value: 'ADDRESS', help: 'address of the TCP peer; default 127.0.0.1' },
      host: { type: 'string', value: 'HOST', help: 'host that is asked for; default localhost' },
      https: { type: 'boolean', help: 'as if it came over TLS' },
    },
    load: () => import('./explain.ts'),
  },
  test: TEST_COMMAND,
  keys: KEYS_COMMAND,
  deny: DENY_COMMAND,
  limits: {
    summary: 'show or reset the shared counters of one partition',
    arguments: 'show|reset',
    minimum: 1,
    maximum: 1,
    options: {
      partition: { type: 'string', value: 'KIND:VALUE', help: 'client_ip:203.0.113.9, principal:jwt:alice, credential:api_key:ID, route:NAME, body.email|lower:ADDRESS' },
      policy: { type: 'string', value: 'NAME', help: 'only the counter of this policy' },
    },
    load: () => import('./limits.ts'),
  },
  snippet: {
    summary: 'print a config for nginx, caddy, traefik, haproxy, envoy, envoy-gateway, istio, kubernetes, compose, systemd or prometheus',
    arguments: 'NAME',
    minimum: 1,
    maximum: 1,
    options: {
      postern: { type: 'string', value: 'HOST:PORT', help: 'where Postern is reached; default: the address of the config' },
      api: { type: 'string', value: 'HOST:PORT', help: 'the API; default: the upstream of the config, or 127.0.0.1:3000' },
      listen: { type: 'string', value: 'HOST:PORT', help: 'where the other program takes clients; default 127.0.0.1:8000' },
      write: { type: 'string', value: 'FOLDER', help: 'write files there instead of printing; nothing is overwritten' },
    },
    load: () => import('./snippet.ts'),
  },
  doctor: {
    ...NO_ARGUMENTS,
    summary: 'look over a whole installation: reachable, bypassable, forgeable, on time',
    options: { live: { type: 'string', value: 'URL', help: 'also attack this running Postern, with harmless requests; a path that needs a credential' } },
    load: () => import('./doctor.ts'),
  },
  schema: { ...NO_ARGUMENTS, summary: 'print the JSON Schema of the config', options: {}, load: () => import('./schema.ts') },
  healthcheck: {
    ...NO_ARGUMENTS,
    summary: 'ask /readyz of the instance beside this one',
    options: { address: { type: 'string', value: 'HOST:PORT', help: 'ops listener; default: the one of the config' } },
    load: () => import('./healthcheck.ts'),
  },
  version: { ...NO_ARGUMENTS, summary: 'print versions', options: {}, load: () => import('./version-command.ts') },
  dev: {
    ...NO_ARGUMENTS,
    summary: 'try it on this machine: a demo API, a token issuer and Postern in front',
    options: {
      upstream: { type: 'string', value: 'URL', help: 'guard this API instead of the demo one' },
      port: { type: 'string', short: 'p', value: 'N', help: 'port of Postern; default 8080' },
    },
    load: () => import('./dev.ts'),
  },
  token: {
    summary: 'mint a token that the dev instance accepts',
    arguments: 'SUB',
    minimum: 1,
    maximum: 1,
    options: {
      claim: { type: 'string', value: 'NAME=VALUE', multiple: true, help: 'a further claim, JSON or text; may be repeated' },
      scopes: { type: 'string', value: 'A,B', help: 'scopes' },
      aud: { type: 'string', value: 'AUDIENCE', help: 'for whom it is; default the dev instance, which refuses every other' },
      exp: { type: 'string', value: 'DURATION', help: 'how long it lives; default 5m, negative for an expired one' },
    },
    load: () => import('./token.ts'),
  },
}

export const DEFAULT_COMMAND = 'run'
