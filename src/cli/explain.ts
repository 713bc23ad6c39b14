import type { Run } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { explanationData, explanationText } from './explanation-text.ts'
import { explainRequest } from './explanation.ts'
import { configFileOf, passingResources, prepareConfig, providersTried, reportMistakes } from './load-config.ts'
import { lookingLimiter } from './looking-limiter.ts'
import { sketchRequest } from './sketched-request.ts'

/** `postern explain METHOD PATH`: the real pipe without the upstream. Exit 0 when it would allow, 1 when not. */
export const run: Run = async (invocation) => {
  const { terminal, options, env } = invocation
  const resources = passingResources()
  try {
    const { loaded, compiled } = prepareConfig({ file: configFileOf(invocation), env, resources, options: { limiter: lookingLimiter() } })
    const sketch = await sketchRequest(invocation, loaded.config)
    await providersTried(compiled)
    const explanation = await explainRequest(sketch, compiled.gateway, resources.clock)
    if (options['json'] === true) terminal.out(JSON.stringify(explanationData(explanation, compiled.gateway)))
    else terminal.say(explanationText(explanation, compiled.gateway, terminal.paint))
    return explanation.decision.outcome === 'deny' ? EXIT.failure : EXIT.ok
  } catch (error) {
    return reportMistakes(error, invocation)
  } finally {
    await resources.closeAll()
  }
}
