import type { FaultyGate, GateFault } from '../support/faulty-gate.ts'
import { NETWORK_PLACES, startPlaces } from './places.ts'
import { letIn, prepareQuestions } from './questions.ts'
import { type Cell, runRound } from './round.ts'
import { runSqliteRounds } from './sqlite-rounds.ts'

/** One fault and everything that was asked under it. */
export interface Round { readonly fault: string; readonly cells: readonly Cell[]; readonly seconds: number }

export interface Matrix {
  readonly rounds: readonly Round[]
  /** Forged requests that reached an upstream. */
  readonly letIn: readonly string[]
  /** What cannot be broken here, for want of a server. */
  readonly missing: readonly string[]
}

export interface MatrixSettings {
  readonly leastMs: number
  readonly leastAnswers: number
  readonly restMs: number
  /** Default: all of them. */
  readonly faults?: readonly GateFault[]
  readonly told?: (line: string) => void
}

export const FAULTS = ['refused', 'hanging', 'dripping', 'resetting', 'garbage', 'page', 'tls', 'flapping', 'slow'] as const satisfies readonly GateFault[]

/** Every dependency suffers the same fault at the same time, on routes of its own; one route depends on none of them. */
export async function runNetworkRounds({ leastMs, leastAnswers, restMs, faults = FAULTS, told }: MatrixSettings): Promise<Matrix> {
  const places = await startPlaces()
  try {
    const { lasting, ofRound } = await prepareQuestions(places, faults.length)
    const rounds: Round[] = []
    for (const [index, fault] of faults.entries()) {
      const startedAt = performance.now()
      const issuerGate = places.gates.get('issuer')
      const behave = async (now: GateFault, gates: readonly FaultyGate[]): Promise<void> => void (await Promise.all(gates.map((gate) => gate.behave(now))))
      const cells = await runRound({
        port: places.postern.port, leastMs, leastAnswers, restMs, questions: [...lasting, ...(await ofRound(index))],
        // A reload forgets what others said about credentials, so the one that makes a key set anew comes first.
        prepare: async () => {
          await issuerGate?.behave(fault)
          await places.coldIssuer(index + 1)
        },
        happen: async () => {
          await behave(fault, [...places.gates.values()].filter((gate) => gate !== issuerGate))
          await places.issuer.rotate({ keep: true })
        },
        mend: () => behave('none', [...places.gates.values()]),
      })
      rounds.push({ fault, cells, seconds: (performance.now() - startedAt) / 1_000 })
      told?.(`${fault}: ${rounds.at(-1)?.seconds.toFixed(1)} s`)
    }
    return { rounds, letIn: letIn(places.behind, places.broken), missing: NETWORK_PLACES.filter((name) => !places.gates.has(name)) }
  } finally {
    await places.close()
  }
}

/** The whole matrix; the file store has a Postern of its own, since it is asked synchronously. */
export async function runMatrix(settings: MatrixSettings): Promise<Matrix> {
  const [network, file] = [await runNetworkRounds(settings), await runSqliteRounds(settings)]
  return { ...network, rounds: [...network.rounds, ...file] }
}
