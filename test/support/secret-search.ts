import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { RunningPostern } from './running-postern.ts'

/** Every place in which a secret could have been left, by name. */
export interface Places {
  readonly postern: RunningPostern
  /** Where stores are. */
  readonly folder?: string
  /** Files in it that the operator wrote, which hold secrets by their nature. */
  readonly except?: readonly string[]
  /** Texts of refusals. */
  readonly refusals?: readonly string[]
}

/**
 * Where secrets are found after a suite has run: as `place: number of the secret`, so that a failing test prints none. Metrics are read
 * from the running process; store files with their journals, as bytes.
 */
export async function secretsFoundIn({ postern, folder, except = [], refusals = [] }: Places, secrets: readonly string[]): Promise<readonly string[]> {
  const places: [string, string][] = [
    ['output', postern.output()],
    ['metrics', await (await fetch(`${postern.opsUrl}/metrics`)).text()],
    ['readyz', await (await fetch(`${postern.opsUrl}/readyz?verbose`)).text()],
    ['refusals', refusals.join('\n')],
  ]
  for (const name of folder === undefined ? [] : readdirSync(folder)) {
    const file = join(folder ?? '', name)
    if (!except.includes(name) && statSync(file).isFile()) places.push([name, readFileSync(file, 'latin1')])
  }
  if (secrets.some((secret) => secret.length < 8)) throw new Error('a secret of fewer than 8 characters would be found by accident')
  return places.flatMap(([place, text]) => secrets.flatMap((secret, index) => (text.includes(secret) ? [`${place}: secret ${index}`] : [])))
}
