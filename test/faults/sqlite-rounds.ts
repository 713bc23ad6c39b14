import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEchoUpstream } from '../support/echo-upstream.ts'
import { startPostern } from '../support/running-postern.ts'
import type { MatrixSettings, Round } from './matrix.ts'
import { CONFIG_HEAD, STATIC_KEY } from './places.ts'
import { keyQuestions, makeKeys, type Question } from './questions.ts'
import { runRound } from './round.ts'

const configOf = (upstream: number, file: string): string => `${CONFIG_HEAD}upstream: http://127.0.0.1:${upstream}
authenticators:
  static: { type: api_key, in: [{ header: X-Static }], keys: [{ id: k1, value: ${STATIC_KEY}, subject: one }] }
  keys_sqlite: { type: api_key, in: [{ header: X-Key }], store: ${file}, pepper: a-pepper-of-these-faults }
routes:
  - { name: bystander, match: { path: /bystander/** }, auth: static }
  - { name: keys_sqlite, match: { path: /keys_sqlite/** }, auth: keys_sqlite }
`

interface FileFault { readonly fault: string; readonly happen: () => void; readonly mend: () => void }

/** What can happen to a file that is open. */
function faultsOf(file: string): readonly FileFault[] {
  const away = `${file}.away`
  const sides = ['', '-wal', '-shm']
  const move = (from: string, to: string): void => sides.forEach((side) => {
    try {
      renameSync(from + side, to + side)
    } catch {
      // Not each of them is there.
    }
  })
  let other: DatabaseSync | undefined
  return [
    {
      fault: 'locked by another writer',
      happen: () => {
        const { DatabaseSync: Database } = process.getBuiltinModule('node:sqlite')
        other = new Database(file)
        other.exec('BEGIN IMMEDIATE')
      },
      mend: () => {
        other?.exec('ROLLBACK')
        other?.close()
      },
    },
    { fault: 'gone', happen: () => move(file, away), mend: () => move(away, file) },
    {
      fault: 'replaced by garbage',
      happen: () => {
        move(file, away)
        writeFileSync(file, 'this is not a database\n'.repeat(1_000))
      },
      mend: () => {
        rmSync(file)
        move(away, file)
      },
    },
  ]
}

/** The same load on a store that is a file. */
export async function runSqliteRounds({ leastMs, leastAnswers, restMs, told }: MatrixSettings): Promise<readonly Round[]> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-file-faults-'))
  const file = join(folder, 'keys.db')
  const upstream = await startEchoUpstream()
  writeFileSync(join(folder, 'postern.yaml'), configOf(upstream.port, file))
  const postern = await startPostern({ config: join(folder, 'postern.yaml') })
  try {
    const bystander: Question = { place: 'bystander', column: 'bystander', path: '/bystander/file', headers: () => ({ 'x-static': STATIC_KEY }) }
    const keys = await makeKeys(postern.adminUrl, 'keys_sqlite', faultsOf(file).length)
    const rounds: Round[] = []
    for (const [index, { fault, happen, mend }] of faultsOf(file).entries()) {
      const questions = [bystander, ...keyQuestions('keys_sqlite', keys, index)]
      const startedAt = performance.now()
      const cells = await runRound({ port: postern.port, questions, leastMs, leastAnswers, restMs, happen: async () => happen(), mend: async () => mend() })
      rounds.push({ fault, cells, seconds: (performance.now() - startedAt) / 1_000 })
      told?.(`file ${fault}: ${rounds.at(-1)?.seconds.toFixed(1)} s`)
    }
    return rounds
  } finally {
    await postern.stop()
    await upstream.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
