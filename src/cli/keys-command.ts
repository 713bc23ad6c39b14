import type { Command } from './command.ts'

/** `postern keys …`: what it takes. The work is loaded only when it is called. */
export const KEYS_COMMAND: Command = {
  summary: 'issue, list, show, rotate, revoke, suspend, resume, import and export managed API keys',
  arguments: 'create|list|show|rotate|revoke|suspend|resume|import|export|migrate [ID|FILE]',
  minimum: 1,
  maximum: 2,
  options: {
    owner: { type: 'string', value: 'ID', help: 'create: who the key stands for; list: only theirs' },
    email: { type: 'string', value: 'ADDRESS', help: 'create: their e-mail address' },
    tier: { type: 'string', value: 'TIER', help: 'create: one of the tiers of the config' },
    status: { type: 'string', value: 'active|suspended', help: 'create: default active' },
    scopes: { type: 'string', value: 'A,B', help: 'create: what the key may do' },
    roles: { type: 'string', value: 'A,B', help: 'create: roles that the upstream learns' },
    name: { type: 'string', value: 'TEXT', help: 'create: what it is for' },
    notes: { type: 'string', value: 'TEXT', help: 'create: anything else worth knowing' },
    expires: { type: 'string', value: '90d|TIME', help: 'create, rotate: a length from now or an RFC 3339 time; default never' },
    environment: { type: 'string', value: 'live|test', help: 'create: the word in the prefix; default as the config says' },
    networks: { type: 'string', value: 'A,B', help: 'create: networks that it may be used from; default anywhere' },
    limits: { type: 'string', value: '100/minute', help: 'create: limits of this key alone, separated by commas' },
    store: { type: 'string', value: 'URL', help: 'migrate: the same store, as a role that may create tables' },
    overlap: { type: 'string', value: '24h', help: 'rotate: how long the old key goes on working; default 24h' },
    limit: { type: 'string', value: 'N', help: 'list: at most so many; default 1000' },
    after: { type: 'string', value: 'ID', help: 'list: go on after this key' },
    authenticator: { type: 'string', value: 'NAME', help: 'whose keys, where several authenticators have a store' },
  },
  load: () => import('./keys.ts'),
}
