import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { textOption, type Invocation, type Run } from './command.ts'
import { EXIT, OperatorError, UsageError } from './exit-codes.ts'
import { configFileOf, passingResources, prepareConfig, reportMistakes } from './load-config.ts'
import { SNIPPETS, type SnippetKind } from './snippets/all.ts'
import { factsOf, type Snippet, type SnippetFacts } from './snippets/facts.ts'
import { VERSION } from './version.ts'

function kindOf({ positionals: [name = ''] }: Invocation): SnippetKind & { readonly name: string } {
  const kind = Object.hasOwn(SNIPPETS, name) ? SNIPPETS[name] : undefined
  if (!kind) throw new UsageError(`there is no snippet "${name}". One of: ${Object.keys(SNIPPETS).join(', ')}`)
  return { ...kind, name }
}

const ADDRESS = /^[A-Za-z0-9.-]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/

function addressOption({ options }: Invocation, name: string): string | undefined {
  const address = textOption(options, name)
  if (address !== undefined && !ADDRESS.test(address)) throw new UsageError(`--${name} ${address}: expected host:port`)
  return address
}

async function factsFor(invocation: Invocation): Promise<SnippetFacts> {
  const resources = passingResources()
  try {
    const { loaded, compiled } = prepareConfig({ file: configFileOf(invocation), env: invocation.env, resources })
    const overrides = { postern: addressOption(invocation, 'postern'), api: addressOption(invocation, 'api'), listen: addressOption(invocation, 'listen') }
    return factsOf({ config: loaded.config, wire: compiled.gateway.wire, authenticators: [...compiled.authenticators.values()].map(({ authenticator }) => authenticator), version: VERSION, overrides })
  } finally {
    await resources.closeAll()
  }
}

function write(folder: string, snippet: Snippet): void {
  for (const [name, text] of snippet) {
    const file = join(folder, name)
    mkdirSync(dirname(file), { recursive: true })
    // What is there was written by somebody.
    writeFileSync(file, text, { flag: 'wx' })
  }
}

/** Several files are printed one after the other, each under its name. */
const printed = (snippet: Snippet): string => (snippet.size === 1 ? [...snippet.values()].join('') : [...snippet].map(([name, text]) => `# ==== ${name} ====\n${text}`).join('\n'))

/** `postern snippet NAME`: a complete config of another program, filled in for this config. */
export const run: Run = async (invocation) => {
  const { terminal, options } = invocation
  const kind = kindOf(invocation)
  try {
    const facts = await factsFor(invocation)
    if (kind.checks && !facts.forwardAuth) throw new OperatorError(`this config answers no checks, so ${kind.name} has nobody to ask: say "mode: forward_auth", or add "forward_auth: {}"`, EXIT.config)
    const snippet = kind.make(facts)
    const folder = textOption(options, 'write')
    if (folder !== undefined) {
      write(folder, snippet)
      terminal.say([...snippet.keys()].map((name) => join(folder, name)).join('\n'))
    } else if (options['json'] === true) terminal.out(JSON.stringify(Object.fromEntries(snippet)))
    else terminal.out(printed(snippet).trimEnd())
    return EXIT.ok
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw new OperatorError(`${error.message.replace(/^.*'(.*)'$/, '$1')} exists already and is left as it is`)
    return reportMistakes(error, invocation)
  }
}
