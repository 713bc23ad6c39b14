import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { RunningPostern } from '../support/running-postern.ts'
import type { Asked } from './asking.ts'

/** What an API's tests gather, to be searched when they are done. */
export interface Gathered {
  /** Remembers something that must be found nowhere. A token counts as a whole and by its signature. */
  readonly secret: (...texts: readonly string[]) => void
  /** Keeps an answer when it is a refusal. */
  readonly answered: <T extends Asked>(answer: T) => T
  readonly refusals: readonly string[]
  readonly secrets: ReadonlySet<string>
}

export function gather(): Gathered {
  const secrets = new Set<string>()
  const refusals: string[] = []
  return {
    secrets,
    refusals,
    secret: (...texts) => {
      for (const text of texts) {
        secrets.add(text)
        const signature = text.split('.')[2]
        if (signature) secrets.add(signature)
      }
    },
    answered: (answer) => {
      if (answer.status >= 400) refusals.push(JSON.stringify([answer.headers, answer.body]))
      return answer
    },
  }
}

const filesIn = (folder: string): [string, string][] => readdirSync(folder).map((name) => [`file ${name}`, readFileSync(join(folder, name), 'latin1')])

/** Searches everything that Postern wrote or said for every secret that went through it. `folder` holds its key store. */
export async function expectNoLeaks(gathered: Gathered, postern: RunningPostern, folder?: string): Promise<void> {
  const metrics = await (await fetch(`${postern.opsUrl}/metrics`)).text()
  const ready = await (await fetch(`${postern.opsUrl}/readyz?verbose`)).text()
  const places: [string, string][] = [['log and audit', postern.output()], ['metrics', metrics], ['readyz', ready], ['refusals', gathered.refusals.join('\n')], ...(folder === undefined ? [] : filesIn(folder))]
  expect(gathered.secrets.size).toBeGreaterThan(3)
  // A search that finds nothing anywhere proves nothing when there was nothing to search.
  expect([postern.output().includes('postern.audit'), metrics.includes('postern_'), gathered.refusals.length > 3]).toEqual([true, true, true])
  for (const secret of gathered.secrets) {
    for (const [place, text] of places) expect(text.includes(secret), `${secret.slice(0, 12)}… in ${place}`).toBe(false)
  }
}

/** The same for what a process of a single case wrote. */
export function expectQuiet({ secrets }: Gathered, { output }: RunningPostern): void {
  for (const secret of secrets) expect(output().includes(secret), `${secret.slice(0, 12)}… in log or audit`).toBe(false)
}
