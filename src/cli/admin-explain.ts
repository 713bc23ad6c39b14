import type { Resources } from '../config/resources.ts'
import type { Explained, ExplainRoutesOptions, TriedRequest } from '../faces/admin/explain-routes.ts'
import { KeyActRefused } from '../keys/key-request.ts'
import { UsageError } from './exit-codes.ts'
import { explanationData, explanationText } from './explanation-text.ts'
import { explainRequest } from './explanation.ts'
import { compileLoaded, passingResources, providersTried, type Prepared } from './load-config.ts'
import { lookingLimiter } from './looking-limiter.ts'
import { sketchRequest, type SketchedRequest } from './sketched-request.ts'

/** The arguments that `postern explain` would be given. */
const optionsOf = ({ host, ip, https, token, key, cookies, headers }: TriedRequest) => ({
  ...(host !== undefined && { host }), ...(ip !== undefined && { ip }), ...(https !== undefined && { https }), ...(token !== undefined && { token }), ...(key !== undefined && { key }),
  ...(cookies && { cookie: [...cookies] }), ...(headers && { header: [...headers] }),
})

/** @throws {KeyActRefused} when it has not the form of a request */
async function sketched(tried: TriedRequest, { loaded }: Prepared): Promise<SketchedRequest> {
  try {
    // Standard input is nobody's here: `-` is an empty credential.
    return await sketchRequest({ positionals: [tried.method, tried.path], options: optionsOf(tried), terminal: { readInput: async () => '' } }, loaded.config)
  } catch (error) {
    throw error instanceof UsageError ? new KeyActRefused('request_invalid', error.message.replace(/^--/, '')) : error
  }
}

/** One secret of the process for names of counters, so that what is looked at is what is counted. */
function sameNames(passing: Resources, running: Resources): void {
  const { bytes } = running.keep('partition-secret', '', () => ({ bytes: new Uint8Array() }))
  if (bytes.length > 0) passing.keep('partition-secret', '', () => ({ bytes }))
}

async function explained(tried: TriedRequest, { loaded, compiled: running }: Prepared, resources: Resources): Promise<Explained> {
  const sketch = await sketched(tried, { loaded, compiled: running })
  const passing = passingResources()
  try {
    // Stores and key sets are opened to look: a try is no use of a key, and fills no cache.
    sameNames(passing, resources)
    const compiled = compileLoaded(loaded, { resources: passing, options: { limiter: lookingLimiter(running.limits.limiter) } })
    await providersTried(compiled)
    const explanation = await explainRequest(sketch, compiled.gateway, passing.clock)
    return { data: explanationData(explanation, compiled.gateway), text: explanationText(explanation, { gateway: compiled.gateway, mode: loaded.config.mode, paint: (_color, words) => words }) }
  } finally {
    await passing.closeAll()
  }
}

/** `postern explain` for the admin listener: the config that runs, and the counters of this moment. */
export const adminExplain = ({ current, resources }: { readonly current: () => Prepared; readonly resources: Resources }): ExplainRoutesOptions['explain'] => (tried) => explained(tried, current(), resources)
