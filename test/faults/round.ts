import { Agent, request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { healthy, type Phase, type Question } from './questions.ts'

export type Face = 'inline' | 'forward-auth'

/** What one kind of request came to while the fault lasted, and afterwards. */
export interface Cell {
  readonly question: Question
  readonly face: Face
  /** Statuses while it lasted, or `no answer`, by how often. */
  readonly statuses: Readonly<Record<string, number>>
  /** Public codes of what was refused, with their statuses. */
  readonly codes: readonly string[]
  readonly latencies: readonly number[]
  /** From the mending to the first of several good answers, ms. */
  readonly recoveredMs: number
  /** In no phase may a forged credential be let in, or a good one be called bad. */
  readonly wrongs: readonly string[]
  /** Answers of every phase. */
  readonly answers: number
}

export interface RoundSettings {
  readonly port: number
  readonly questions: readonly Question[]
  /** Before the fault, under load; what it does has been answered to when the fault comes. */
  readonly prepare?: () => Promise<void>
  readonly happen: () => Promise<void>
  readonly mend: () => Promise<void>
  /** The fault lasts at least so long, and until every kind of request was answered so often. */
  readonly leastMs: number
  readonly leastAnswers: number
  /** Between two requests of one caller. */
  readonly restMs: number
}

interface Answered { readonly status: string; readonly code: string | undefined; readonly ms: number }

const MOST_MS = 8_000
const RECOVERY_MS = 60_000
/** So many healthy answers in a row mean that it is well again. */
const STEADY = 3
const PATIENCE_MS = 15_000

const CHECK = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-host': 'api.example', 'x-forwarded-proto': 'https', 'x-forwarded-method': 'GET' }

const codeIn = (body: string): string | undefined => /"code":\s*"([a-z_]+)"/.exec(body)?.[1]

function ask(port: number, agent: Agent, { path, headers }: { readonly path: string; readonly headers: Readonly<Record<string, string>> }): Promise<Answered> {
  const startedAt = performance.now()
  return new Promise((resolve) => {
    const done = (status: string, body = ''): void => resolve({ status, code: codeIn(body), ms: performance.now() - startedAt })
    const sent = request({ host: '127.0.0.1', port, path, headers, agent }, (answer) => {
      let body = ''
      answer.on('data', (chunk: Buffer) => (body += chunk.toString()))
      answer.once('close', () => (answer.complete ? done(String(answer.statusCode), (answer.statusCode ?? 0) >= 400 ? body : '') : done(`${answer.statusCode}, cut`)))
      answer.on('error', () => undefined)
    })
    sent.setTimeout(PATIENCE_MS, () => sent.destroy())
    sent.once('error', () => done('no answer'))
    sent.end()
  })
}

/** What was looked at just before the fault may still be believed: a store for a quarter of a second. */
const TURNING_MS = 300

/** Somebody who asks the same kind of question again and again, on one connection. */
class Caller {
  readonly question: Question
  readonly face: Face
  readonly statuses: Record<string, number> = {}
  readonly codes = new Set<string>()
  readonly latencies: number[] = []
  readonly wrongs: string[] = []
  answers = 0
  /** Healthy answers in a row. */
  healthyRun = 0
  /** Of these, those that count for the fault. */
  counted = 0
  recoveredMs: number | undefined
  busy = false
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(question: Question, face: Face) {
    this.question = question
    this.face = face
  }

  async run({ port, restMs }: Pick<RoundSettings, 'port' | 'restMs'>, phase: () => Phase, sinceMended: () => number): Promise<void> {
    while (phase() !== 'over') {
      if (phase() === 'pause' || (phase() === 'after' && this.recoveredMs !== undefined)) {
        await wait(5)
        continue
      }
      const [began, at] = [phase(), sinceMended()]
      this.busy = true
      this.take(await this.next(port, began), began, at)
      this.busy = false
      await wait(restMs)
    }
    this.agent.destroy()
  }

  private async next(port: number, phase: Phase): Promise<Answered> {
    const { path, headers } = this.question
    const own = await headers(phase)
    return ask(port, this.agent, this.face === 'inline' ? { path, headers: own } : { path: '/_postern/forward', headers: { ...own, ...CHECK, 'x-forwarded-uri': path } })
  }

  private take({ status, code, ms }: Answered, began: Phase, at: number): void {
    const { question } = this
    this.answers += 1
    this.healthyRun = status === String(healthy(question)) ? this.healthyRun + 1 : 0
    if (question.forged ? status.startsWith('2') : /^40[13]/.test(status)) this.wrongs.push(`${question.path} (${this.face}): ${status} ${code ?? ''}`)
    if (began === 'during' || began === 'turning') this.latencies.push(ms)
    if (began === 'during') {
      this.statuses[status] = (this.statuses[status] ?? 0) + 1
      this.counted += 1
      if (code !== undefined && status !== '401') this.codes.add(`${status} ${code}`)
    }
    if (began !== 'after' || this.recoveredMs !== undefined) return
    if (this.healthyRun === 0) this.firstGood = undefined
    else this.firstGood ??= at
    if (this.healthyRun >= STEADY && this.firstGood !== undefined) this.recoveredMs = this.firstGood
  }
  private firstGood: number | undefined

  cell(): Cell {
    const { question, face, statuses, latencies, wrongs, answers, recoveredMs = Number.POSITIVE_INFINITY } = this
    return { question, face, statuses, codes: [...this.codes].toSorted(), latencies, recoveredMs, wrongs, answers }
  }
}

async function until(holds: () => boolean, mostMs: number): Promise<void> {
  for (const end = performance.now() + mostMs; !holds() && performance.now() < end; ) await wait(10)
}

/** Load before, during and after one fault, on both faces at once, until everything is well again. */
export async function runRound({ port, questions, prepare, happen, mend, leastMs, leastAnswers, restMs }: RoundSettings): Promise<readonly Cell[]> {
  const callers = questions.flatMap((question) => (question.inlineOnly ? (['inline'] as const) : (['inline', 'forward-auth'] as const)).map((face) => new Caller(question, face)))
  let phase: Phase = 'before'
  let mendedAt = 0
  const load = Promise.all(callers.map((caller) => caller.run({ port, restMs }, () => phase, () => performance.now() - mendedAt)))
  try {
    await prepare?.()
    for (const caller of callers) caller.healthyRun = 0
    await until(() => callers.every(({ healthyRun, question }) => question.brokenFirst === true || healthyRun >= 2), MOST_MS)
    await happen()
    phase = 'turning'
    await wait(TURNING_MS)
    phase = 'during'
    await wait(leastMs)
    await until(() => callers.every(({ counted }) => counted >= leastAnswers), MOST_MS)
    // What is under way ends under the fault: no answer belongs to both times.
    phase = 'pause'
    await until(() => callers.every(({ busy }) => !busy), PATIENCE_MS)
  } finally {
    await mend()
  }
  mendedAt = performance.now()
  for (const caller of callers) caller.healthyRun = 0
  phase = 'after'
  await until(() => callers.every(({ recoveredMs }) => recoveredMs !== undefined), RECOVERY_MS)
  phase = 'over'
  await load
  return callers.map((caller) => caller.cell())
}
