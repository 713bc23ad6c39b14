import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import * as fc from 'fast-check'
import { type Attacked, startAttacked } from '../../attack/attacked.ts'
import { readRequest } from '../../support/recording-upstream.ts'
import { piecesOf, quiet, type Script, talk, writePieces } from '../exchange.ts'
import { fuzzTarget, type Opened } from '../fuzz-target.ts'
import { answerStreams, llhttps, type Reading } from './answers.ts'

/** What the upstream says to one request, and what it does then. */
interface Answer {
  readonly script: Script
  readonly ending: 'close' | 'reset' | 'stay'
  readonly method: 'GET' | 'HEAD' | 'POST'
  /** Says it before the request has come. */
  readonly early: boolean
}

interface Case extends Answer { readonly mark: string; readonly text: string; readonly engine: 'direct' | 'undici' }

/** In every head of an answer; whose it is. */
const MARK = '@MARK@'

/** An upstream that says what it is told to, whatever that is. */
async function startLiar(answerTo: (mark: string) => Answer & { readonly text: string } | undefined, earlyWord: () => string | undefined) {
  const sockets = new Set<Socket>()
  let written = 0
  const say = async (socket: Socket, { text, script, ending }: Answer & { readonly text: string }): Promise<void> => {
    await writePieces(socket, piecesOf({ text, cuts: script.cuts }))
    written += 1
    if (ending === 'close') socket.end()
    if (ending === 'reset') socket.resetAndDestroy()
  }
  const server = createServer((socket) => {
    sockets.add(socket)
    let pending: Buffer = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    const early = earlyWord()
    if (early !== undefined) socket.write(early)
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk])
      for (let request = readRequest(pending); request.kind === 'read'; request = readRequest(pending)) {
        pending = pending.subarray(request.end)
        const answer = answerTo(request.value.headers.find(([name]) => name.toLowerCase() === 'x-mark')?.[1] ?? '')
        if (answer) void say(socket, answer)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    written: () => written,
    /** Ends what stays open, so that nothing of one run is there in the next. */
    hangUp: () => sockets.forEach((socket) => socket.destroy()),
    close: () => new Promise((resolve) => server.close(resolve)),
  }
}

const config = (port: number) => ({
  version: 1,
  listen: { address: '127.0.0.1:0' },
  ops: 'off',
  upstreams: Object.fromEntries(['direct', 'undici'].map((engine) => [engine, { url: `http://127.0.0.1:${port}`, connect_timeout: '2s', timeout: '5s', engine }])),
  client_ip: { direct: true },
  routes: ['direct', 'undici'].map((engine) => ({ name: engine, match: { path: `/${engine}/**` }, auth: 'none', upstream: engine })),
})

/** Fields of one connection are not passed on, and Postern may add its own. */
const told = (reading: Reading): unknown => (typeof reading === 'object' ? { status: reading.status, body: reading.body } : reading)

/** The client's reading of what Postern wrote, and ours of what the upstream wrote: the same answer, or one that says that there is none. */
function judge(each: Case, received: string): string {
  const { mark, method, text, ending } = each
  const bytes = Buffer.from(received, 'latin1')
  const seen = llhttps(bytes, method, true)
  if (received === '') return 'cut off'
  assert.ok(seen !== 'refused', `the client cannot read ${JSON.stringify(received.slice(0, 200))}`)
  if (typeof seen === 'string') return 'cut off'
  const passed = seen.headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'x-mark' && seen.headers[index + 1] === mark)
  if (!passed && [502, 503, 504].includes(seen.status) && /request_id/.test(seen.body + (method === 'HEAD' ? 'request_id' : ''))) return 'refused'
  // What the upstream said, to its end if it ended.
  const said = llhttps(Buffer.from(text, 'latin1'), method, ending !== 'reset')
  assert.deepEqual(told(seen), told(said))
  return 'passed on'
}

let marks = 0

async function check(answers: readonly Answer[], { attacked, engine, cases, liar }: { attacked: Attacked; engine: 'direct' | 'undici'; cases: Map<string, Case>; liar: Awaited<ReturnType<typeof startLiar>> }): Promise<string[]> {
  cases.clear()
  const batch = answers.map((answer): Case => {
    const mark = `mark-${(marks += 1).toString().padStart(9, '0')}`
    // With undici an answer in pieces may end before its last piece, which the next request would then be given: the engine's known hole.
    const script = engine === 'undici' ? { ...answer.script, cuts: [] } : answer.script
    return { ...answer, script, mark, engine, text: script.text.replaceAll(/(HTTP\/1\.[01] \d\d\d[^\r\n]*\r\n)/g, `$1X-Mark: ${mark}\r\n`).replaceAll(MARK, mark) }
  })
  for (const each of batch) cases.set(each.mark, each)
  const body = (method: string): string => (method === 'POST' ? 'Content-Length: 5\r\n\r\nhello' : '\r\n')
  const talks = await Promise.all(batch.map(({ method, mark }) => talk(attacked.port, { text: `${method} /${engine}/${mark} HTTP/1.1\r\nHost: api.test\r\nX-Mark: ${mark}\r\n${body(method)}`, cuts: [] })))
  const activity = (): number => talks.reduce((sum, { received, ended }) => sum + received().length + Number(ended()), 0) + liar.written()
  await quiet(activity)
  // What still waits for more is ended by the upstream.
  liar.hangUp()
  await quiet(() => activity() + attacked.face.inFlight())
  for (const { destroy } of talks) destroy()
  await quiet(() => attacked.face.inFlight())
  const received = talks.map((each) => each.received())
  received.forEach((text, index) => {
    for (const [other, { mark }] of batch.entries()) assert.ok(other === index || !text.includes(mark), `client ${index} received the answer of client ${other}`)
  })
  assert.deepEqual(attacked.events.faulted, [])
  assert.equal(attacked.face.inFlight(), 0)
  return batch.map((each, index) => judge(each, received[index] ?? ''))
}

async function open(): Promise<Opened<readonly [engine: 'direct' | 'undici', answers: readonly Answer[]]>> {
  const cases = new Map<string, Case>()
  const liar = await startLiar((mark) => cases.get(mark), () => [...cases.values()].find(({ early }) => early)?.text)
  const attacked = await startAttacked(config(liar.port))
  return {
    inputs: fc.tuple(fc.constantFrom('direct' as const, 'direct' as const, 'undici' as const), fc.array(answer, { minLength: 1, maxLength: 64, size: 'max' }))
      // An answer before its request is what undici cannot notice; ours is asked to.
      .map(([engine, answers]) => [engine, engine === 'undici' ? answers.map((each) => ({ ...each, early: false })) : answers]),
    check: ([engine, answers]) => check(answers, { attacked, engine, cases, liar }),
    close: async () => {
      liar.hangUp()
      await attacked.close()
      await liar.close()
    },
  }
}

const flood = fc.nat(60).map((count) => `${'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(count)}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`)
const huge = fc.tuple(fc.integer({ min: 10, max: 70_000 }), fc.integer({ min: 1, max: 150 })).map(([length, count]) => `HTTP/1.1 200 OK\r\n${`X-Many: y\r\n`.repeat(count)}X-Long: ${'a'.repeat(length)}\r\nContent-Length: 2\r\n\r\nok`)
const twice = fc.constantFrom('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nAHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON')

const answer: fc.Arbitrary<Answer> = fc.record({
  script: fc.record({ text: fc.oneof({ weight: 20, arbitrary: answerStreams }, { weight: 1, arbitrary: flood }, { weight: 1, arbitrary: huge }, { weight: 2, arbitrary: twice }), cuts: fc.oneof(fc.constant<number[]>([]), fc.array(fc.nat(255), { maxLength: 3 })) }),
  ending: fc.constantFrom('close' as const, 'close' as const, 'reset' as const, 'stay' as const),
  method: fc.constantFrom('GET' as const, 'GET' as const, 'HEAD' as const, 'POST' as const),
  early: fc.oneof({ weight: 30, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
})

export const wireAnswers = fuzzTarget<readonly [engine: 'direct' | 'undici', answers: readonly Answer[]]>({
  name: 'wire-answers',
  subject: 'an upstream that answers a whole Postern with streams of the kind above, floods of informational answers, long heads, second answers, before it is asked, then closes, resets or stays; both engines',
  oracle: 'llhttp reads what the client got as what it reads from the upstream, or as a refusal of ours; no client is given another\'s answer; nothing stays in flight',
  where: 'sockets',
  verdicts: ['passed on', 'refused', 'cut off'],
  batch: 100,
  weight: 1,
  asynchronous: true,
  open,
})
