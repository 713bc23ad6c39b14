import type { Command } from './command.ts'

/** `postern deny`: what it takes. The work is loaded only when it is called. */
export const DENY_COMMAND: Command = {
  summary: 'end a token, a session or everything of somebody before its time; without options, list what is denied',
  arguments: '',
  minimum: 0,
  maximum: 0,
  options: {
    jti: { type: 'string', value: 'ID', help: 'this token' },
    sub: { type: 'string', value: 'ID', help: 'everything of this subject' },
    sid: { type: 'string', value: 'ID', help: 'this session' },
    until: { type: 'string', value: '24h|TIME', help: 'when it would have expired anyway; 0 takes the entry back' },
    'issued-before': { type: 'string', value: 'now|TIME', help: 'only what was issued before: who logs in again is welcome' },
    authenticator: { type: 'string', value: 'NAME', help: 'only at this authenticator; default at all' },
  },
  load: () => import('./deny.ts'),
}
