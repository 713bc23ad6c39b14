import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compile } from '../../src/config/compile.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createResources } from '../../src/config/resources.ts'
import { SILENT } from '../../src/model/event.ts'
import type { DecisionPoint } from '../../src/model/decision.ts'
import type { Gateway } from '../../src/model/gateway.ts'
import type { RequestDescription } from '../../src/model/request.ts'

/** A config in use, without listeners. */
export interface Compiled {
  readonly gateway: Gateway
  readonly close: () => Promise<void>
}

/** Reads, checks and compiles a config as `postern run` does. */
export async function compiled(text: string): Promise<Compiled> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-growth-'))
  try {
    writeFileSync(join(directory, 'postern.yaml'), text)
    const resources = createResources({ clock: Date.now, observer: SILENT })
    resources.begin()
    const { config } = loadConfig({ file: join(directory, 'postern.yaml'), env: {} })
    const { gateway, providers } = compile(config, resources, { revision: 'bench' })
    await Promise.all(providers.map(({ ready }) => ready()))
    return { gateway, close: () => resources.closeAll() }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Decides, and insists on yes. */
export function allowed(point: DecisionPoint, request: RequestDescription): unknown {
  const insist = (outcome: string): void => {
    if (outcome !== 'allow') throw new Error(`a request of the benchmark was not let in: ${outcome}`)
  }
  const matched = point.match(request)
  if ('outcome' in matched) return insist(matched.outcome)
  const decision = point.decide(request, matched)
  return decision instanceof Promise ? decision.then(({ outcome }) => insist(outcome)) : insist(decision.outcome)
}
