import { existsSync } from 'node:fs'
import type { Invocation, Run } from './command.ts'
import { withoutOverrides } from './dev/overrides.ts'
import { runningDev } from './dev/state.ts'
import { EXIT } from './exit-codes.ts'
import { explanationData, explanationText } from './explanation-text.ts'
import { explainRequest } from './explanation.ts'
import { configFileOf, hasConfig, passingResources, prepareConfig, providersTried, reportMistakes } from './load-config.ts'
import { lookingLimiter } from './looking-limiter.ts'
import { sketchRequest } from './sketched-request.ts'

/** Which config a request is explained with. */
interface Subject { readonly file: string | undefined; readonly env: NodeJS.ProcessEnv }

/** Without a config of one's own it is that of the dev instance that runs: who tries Postern out asks about that one. */
function subjectOf(invocation: Invocation): Subject {
  const { env, terminal } = invocation
  const dev = hasConfig(invocation) ? undefined : runningDev(env)
  if (dev?.config === undefined || !existsSync(dev.config)) return { file: configFileOf(invocation), env }
  terminal.say(terminal.paint('dim', `There is no postern.yaml here: this is the dev instance on ${dev.origin ?? 'this machine'} (pid ${dev.pid}).`))
  return { file: dev.config, env: withoutOverrides(env) }
}

/** `postern explain METHOD PATH`: the real pipe without the upstream. Exit 0 when it would allow, 1 when not. */
export const run: Run = async (invocation) => {
  const { terminal, options } = invocation
  const resources = passingResources()
  try {
    const { loaded, compiled } = prepareConfig({ ...subjectOf(invocation), resources, options: { limiter: lookingLimiter() } })
    const sketch = await sketchRequest(invocation, loaded.config)
    await providersTried(compiled)
    const explanation = await explainRequest(sketch, compiled.gateway, resources.clock)
    if (options['json'] === true) terminal.out(JSON.stringify(explanationData(explanation, compiled.gateway)))
    else terminal.say(explanationText(explanation, { gateway: compiled.gateway, mode: loaded.config.mode, paint: terminal.paint }))
    return explanation.decision.outcome === 'deny' ? EXIT.failure : EXIT.ok
  } catch (error) {
    return reportMistakes(error, invocation)
  } finally {
    await resources.closeAll()
  }
}
