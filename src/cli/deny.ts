import { compileDenyService, denyAct } from '../config/compile-deny-list.ts'
import { loadConfig } from '../config/load.ts'
import { ConfigFileError, type Mistake } from '../config/mistake.ts'
import { createDenyService, denyView } from '../keys/deny-service.ts'
import { KeyActRefused } from '../keys/key-request.ts'
import { KeyStoreUnavailable } from '../keys/key-store.ts'
import { openKeyStore } from '../keys/open-store.ts'
import { safeTerminalText } from '../observe/safe-text.ts'
import { actAudit } from './act-audit.ts'
import { actorOf } from './actor.ts'
import { textOption, type Invocation, type Run } from './command.ts'
import { requireConfigFile } from './config-file.ts'
import { EXIT, OperatorError, UsageError } from './exit-codes.ts'
import { reportMistakes } from './load-config.ts'

/** How long the command waits for another process that writes. */
const BUSY_TIMEOUT_MS = 5_000

function tell({ terminal, options }: Invocation, entries: readonly ReturnType<typeof denyView>[], words: string): void {
  if (options['json'] === true) return terminal.out(JSON.stringify({ items: entries }))
  for (const { kind, value, authenticator, until, issued_before: before } of entries) terminal.out(`${kind} ${safeTerminalText(value)}   at ${authenticator}   until ${until}${before === null ? '' : `   if issued before ${before}`}`)
  terminal.say(words)
}

async function perform(invocation: Invocation): Promise<void> {
  const { options } = invocation
  const loaded = loadConfig({ file: requireConfigFile(invocation), env: invocation.env })
  const mistakes: Mistake[] = []
  const { location, authenticators } = compileDenyService(loaded.config, mistakes)
  if (mistakes.length > 0) throw new ConfigFileError(loaded.placed(mistakes))
  if (location === undefined) throw new OperatorError('this config has no deny list; add `deny_list: {}`', EXIT.config)
  const audit = actAudit(loaded)
  const store = openKeyStore(location, { busyTimeoutMs: BUSY_TIMEOUT_MS })
  try {
    const service = createDenyService({ store, authenticators, clock: Date.now, onAct: (act) => audit.tell(denyAct(act)) })
    const text = (name: string): string | undefined => textOption(options, name)
    const request = { jti: text('jti'), sub: text('sub'), sid: text('sid'), until: text('until'), issuedBefore: text('issued-before'), authenticator: text('authenticator') }
    if (Object.values(request).every((value) => value === undefined)) {
      const entries = (await service.list()).map(denyView)
      return tell(invocation, entries, `${entries.length} ${entries.length === 1 ? 'entry' : 'entries'}`)
    }
    tell(invocation, [denyView(await service.deny(request, actorOf()))], 'every running Postern knows within a second, open tunnels included')
  } finally {
    await store.close()
    await audit.close()
  }
}

/** `postern deny …`: writes to the deny list that the config names, beside a running Postern or without one. */
export const run: Run = async (invocation) => {
  try {
    await perform(invocation)
    return EXIT.ok
  } catch (error) {
    if (error instanceof KeyActRefused) throw new UsageError(error.message)
    if (error instanceof KeyStoreUnavailable) throw new OperatorError(error.message)
    return reportMistakes(error, invocation)
  }
}
