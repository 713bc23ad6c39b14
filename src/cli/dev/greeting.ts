import type { Paint } from '../terminal.ts'
import { DEMO_LIMIT } from './config.ts'

export interface Greeting {
  /** Of Postern. */
  readonly origin: string
  readonly upstream: string
  readonly demo: boolean
  readonly opsOrigin: string | undefined
  readonly apiKey: string
  readonly port: number
  readonly paint: Paint
}

/** What to try, line by line: each can be pasted as it is. */
function steps({ origin, apiKey, demo }: Greeting): readonly (readonly [words: string, command: string])[] {
  const answer = demo ? ' The demo API answers with what it received.' : ''
  return [
    ['No credential: 401, and the answer says why.', `curl -i ${origin}/hello`],
    [`An API key: 200.${answer}`, `curl -i ${origin}/hello -H 'X-API-Key: ${apiKey}'`],
    ['A token for alice: 200, and the API learns X-User-Id: alice.', `curl -i ${origin}/hello -H "Authorization: Bearer $(npx postern token alice)"`],
    ['A forged X-User-Id is removed: the API still learns alice.', `curl -i ${origin}/hello -H "Authorization: Bearer $(npx postern token alice)" -H 'X-User-Id: admin'`],
    ['An expired token: 401 with the reason.', `curl -i ${origin}/hello -H "Authorization: Bearer $(npx postern token alice --exp=-1m)"`],
    [`More than ${DEMO_LIMIT} requests a minute: 429 with Retry-After.`, `for i in $(seq ${DEMO_LIMIT + 2}); do curl -s -o /dev/null -w '%{http_code} retry-after=%header{retry-after}\\n' ${origin}/hello -H 'X-API-Key: ${apiKey}'; done`],
  ]
}

export function greeting(facts: Greeting): string {
  const { origin, upstream, demo, opsOrigin, paint } = facts
  const ok = paint('green', '✓')
  return [
    '',
    `  ${ok} upstream   ${upstream}${demo ? '   a demo API that shows the headers it receives' : ''}`,
    `  ${ok} postern    ${paint('bold', origin)}`,
    ...(opsOrigin === undefined ? [] : [`  ${ok} ops        ${opsOrigin}/metrics   ${opsOrigin}/readyz?verbose`]),
    `  ${paint('yellow', '!')} dev mode   the key below and the token issuer exist on this machine only; do not expose the port`,
    '',
    ...steps(facts).flatMap(([words, command]) => [`  ${paint('dim', `# ${words}`)}`, `  ${command}`, '']),
    `  Ctrl-C ends it.${demo ? ' `npm start -- --upstream http://localhost:3000` guards your own API.' : ''}`,
    '',
  ].join('\n')
}
