import type { DevState } from './state.ts'
import type { Paint } from '../terminal.ts'
import { DEMO_LIMIT } from './config.ts'

export interface Greeting {
  /** Of Postern. */
  readonly origin: string
  readonly upstream: string
  readonly demo: boolean
  readonly opsOrigin: string | undefined
  readonly apiKey: string
  /** Why the upstream cannot be connected to. */
  readonly trouble: string | undefined
  /** Another dev instance of this checkout, which runs beside this one. */
  readonly other: Pick<DevState, 'pid' | 'origin'> | undefined
  readonly paint: Paint
}

/** What to try, line by line: each can be pasted as it is. */
function steps({ origin, apiKey, demo }: Greeting): readonly (readonly [words: string, command: string])[] {
  const answer = demo ? ' The demo API answers with what it received.' : ''
  // Nobody knows which paths an API of the user's own has.
  const path = demo ? '/hello' : '/'
  return [
    ['No credential: 401, and the answer says why.', `curl -i ${origin}${path}`],
    [`An API key: 200.${answer}`, `curl -i ${origin}${path} -H 'X-API-Key: ${apiKey}'`],
    ['A token for alice: 200, and the API learns X-User-Id: alice.', `curl -i ${origin}${path} -H "Authorization: Bearer $(npx postern token alice)"`],
    ['A forged X-User-Id is removed: the API still learns alice.', `curl -i ${origin}${path} -H "Authorization: Bearer $(npx postern token alice)" -H 'X-User-Id: admin'`],
    ['An expired token: 401 with the reason.', `curl -i ${origin}${path} -H "Authorization: Bearer $(npx postern token alice --exp=-1m)"`],
    [`More than ${DEMO_LIMIT} requests a minute: 429 with Retry-After.`, `for i in $(seq ${DEMO_LIMIT + 2}); do curl -s -o /dev/null -w '%{http_code} retry-after=%header{retry-after}\\n' ${origin}${path} -H 'X-API-Key: ${apiKey}'; done`],
    ['Why a request is let in or not, stage by stage, without sending it.', `npx postern explain GET ${path} --token "$(npx postern token alice)"`],
  ]
}

function upstreamLine({ upstream, demo, trouble, paint }: Greeting): string {
  if (trouble === undefined) return `  ${paint('green', '✓')} upstream   ${upstream}${demo ? '   a demo API that shows the headers it receives' : ''}`
  const what = trouble === 'ECONNREFUSED' ? `refuses connections (${trouble})` : `cannot be connected to (${trouble})`
  return `  ${paint('yellow', '!')} upstream   ${upstream} ${what}; requests get 502 until it runs`
}

export function greeting(facts: Greeting): string {
  const { origin, demo, opsOrigin, other, paint } = facts
  const ok = paint('green', '✓')
  return [
    '',
    upstreamLine(facts),
    `  ${ok} postern    ${paint('bold', origin)}`,
    ...(opsOrigin === undefined ? [] : [`  ${ok} ops        ${opsOrigin}/metrics   ${opsOrigin}/readyz?verbose`]),
    ...(other === undefined ? [] : [`  ${paint('yellow', '!')} another    a dev instance runs already (pid ${other.pid}${other.origin === undefined ? '' : `, ${other.origin}`}); tokens are good for both, the key below for this one`]),
    `  ${paint('yellow', '!')} dev mode   the key below and the token issuer exist on this machine only; do not expose the port`,
    '',
    ...steps(facts).flatMap(([words, command]) => [`  ${paint('dim', `# ${words}`)}`, `  ${command}`, '']),
    `  Ctrl-C ends it; each request is a line below.${demo ? ' `npm start -- --upstream http://localhost:3000` guards your own API.' : ''}`,
    '',
  ].join('\n')
}
