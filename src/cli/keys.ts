import { keyAct, openKeyDesk, type KeyDesk } from '../config/compile-managed-keys.ts'
import { loadConfig, type LoadedConfig } from '../config/load.ts'
import { allManagedKeySettings, type ManagedKeySettings } from '../config/managed-key-settings.ts'
import { ConfigFileError, type Mistake } from '../config/mistake.ts'
import { formatMistakes } from '../config/report.ts'
import { ImportError } from '../keys/import-json.ts'
import { migrateKeyStore } from '../keys/open-store.ts'
import { grantsFor } from '../keys/postgres-schema.ts'
import { KeyActRefused, overlapOf } from '../keys/key-request.ts'
import type { IssuedKey } from '../keys/key-service.ts'
import { KeyStoreUnavailable } from '../keys/key-store.ts'
import { locationOf } from '../keys/store-location.ts'
import { viewOf } from '../keys/key-view.ts'
import { actAudit } from './act-audit.ts'
import { actorOf } from './actor.ts'
import { textOption, type Invocation, type Run } from './command.ts'
import { requireConfigFile } from './config-file.ts'
import { EXIT, OperatorError, UsageError } from './exit-codes.ts'
import { issuedText, listText, showText } from './keys-text.ts'

/** How long a command waits for another process that writes. */
const BUSY_TIMEOUT_MS = 5_000

interface Work {
  readonly desk: KeyDesk
  readonly settings: ManagedKeySettings
  readonly loaded: LoadedConfig
  readonly invocation: Invocation
  /** The second argument. */
  readonly subject: string
  readonly actor: string
}

type Action = (work: Work) => Promise<void>

const option = ({ invocation }: Work, name: string): string | undefined => textOption(invocation.options, name)
const listOption = (work: Work, name: string): readonly string[] | undefined => option(work, name)?.split(',').map((entry) => entry.trim()).filter((entry) => entry !== '')
const asJson = ({ invocation }: Work): boolean => invocation.options['json'] === true

/** Data to stdout; words for people beside it, unless JSON was asked for. */
function tell(work: Work, data: { readonly json: unknown; readonly text: string | undefined; readonly words?: string }): void {
  const { terminal } = work.invocation
  if (asJson(work)) return terminal.out(JSON.stringify(data.json))
  if (data.text !== undefined) terminal.out(data.text)
  if (data.words !== undefined) terminal.say(data.words)
}

function tellIssued(work: Work, { record, key }: IssuedKey, more: Readonly<Record<string, string>> = {}): void {
  tell(work, { json: { ...viewOf(record, Date.now()), key, ...more }, text: key, words: issuedText(record, work.loaded.config, work.settings.name) })
}

async function create(work: Work): Promise<void> {
  const owner = option(work, 'owner')
  if (owner === undefined) throw new UsageError('postern keys create needs --owner ID: who the key stands for')
  const texts = Object.fromEntries(['email', 'tier', 'status', 'name', 'notes', 'expires', 'environment'].map((name) => [name, option(work, name)]))
  const lists = { scopes: listOption(work, 'scopes'), roles: listOption(work, 'roles'), allowedNetworks: listOption(work, 'networks'), limits: listOption(work, 'limits') }
  tellIssued(work, await work.desk.service.issue({ owner, ...texts, ...lists }, work.actor))
}

async function list(work: Work): Promise<void> {
  const limit = option(work, 'limit') ?? '1000'
  if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > 1_000) throw new UsageError('--limit: expected a number from 1 to 1000')
  const { items, next } = await work.desk.service.list({ limit: Number(limit), after: option(work, 'after'), owner: option(work, 'owner') })
  const views = items.map((record) => viewOf(record, Date.now()))
  const words = next === undefined ? `${views.length} ${views.length === 1 ? 'key' : 'keys'}` : `there are more: --after ${next}`
  tell(work, { json: { items: views, next: next ?? null }, text: listText(views), words })
}

async function show(work: Work): Promise<void> {
  const view = viewOf(await work.desk.service.show(work.subject), Date.now())
  tell(work, { json: view, text: showText(view) })
}

async function rotate(work: Work): Promise<void> {
  const overlap = option(work, 'overlap')
  const wishes = { expires: option(work, 'expires'), overlapMs: overlap === undefined ? undefined : overlapOf(overlap) }
  tellIssued(work, await work.desk.service.rotate(work.subject, wishes, work.actor), { replaces: work.subject })
}

const ending = (act: 'revoke' | 'suspend' | 'resume', done: string): Action => async (work) => {
  const view = viewOf(await work.desk.service[act](work.subject, work.actor), Date.now())
  tell(work, { json: view, text: undefined, words: `${view.id} of ${view.owner} is ${done}; a running Postern knows within a second` })
}

async function importFile(work: Work): Promise<void> {
  const report = await work.desk.importFile(work.subject).catch(explainImport(work.subject))
  const { moreRefused = 0 } = report
  const refused = [...report.refused.map(({ row, reason }) => `row ${row} cannot be used: ${reason}`), ...(moreRefused > 0 ? [`and ${moreRefused} more`] : [])]
  const words = [`imported ${report.added} keys, ${report.known} were there already, ${report.refused.length + moreRefused} cannot be used`, ...refused]
  if (work.settings.checksum === 'crc32') words.push('this authenticator accepts only keys with a checksum, so the imported ones need `issue: {checksum: none}`')
  tell(work, { json: report, text: undefined, words: words.join('\n') })
}

/** Lines that are written at once: each write is a call of the system. */
const LINES_PER_WRITE = 100

/** Lines go out as they are read, whatever the size of the store. */
async function exportStore(work: Work): Promise<void> {
  const { terminal } = work.invocation
  // Its first and last lines are no keys.
  let keys = -2
  let lines: string[] = []
  const write = async (): Promise<void> => {
    if (lines.length > 0) terminal.out(lines.join('\n'))
    lines = []
    await terminal.taken?.()
  }
  for await (const line of work.desk.exportLines()) {
    keys += 1
    if (lines.push(line) === LINES_PER_WRITE) await write()
  }
  await write()
  if (!asJson(work)) terminal.say(`${keys} ${keys === 1 ? 'key' : 'keys'}; digests only: whoever imports them needs the same pepper`)
}

async function migrate(work: Work): Promise<void> {
  const wanted = option(work, 'store')
  const location = wanted === undefined ? work.settings.location : locationOf(wanted)
  if (typeof location === 'string') throw new UsageError(`--store: ${location}`)
  const kind = await migrateKeyStore(location)
  const words = kind === 'postgresql' ? ['the tables are there. The role that Postern runs as needs no more than:', ...grantsFor('postern')] : [`nothing to do: a ${kind} store makes what it needs by itself`]
  tell(work, { json: { store: kind, migrated: true }, text: undefined, words: words.join('\n') })
}

/** Every wrong line with its place, as an editor opens it. */
const explainImport = (path: string) => (error: unknown): never => {
  if (error instanceof ImportError) throw new OperatorError([`${path} ${error.message}`, ...error.lines.map(({ row, reason }) => `${path}:${row}: ${reason}`)].join('\n'))
  if (error instanceof Error && 'syscall' in error && 'code' in error) throw new OperatorError(`${path} cannot be read: ${String(error.code)}`)
  throw error
}

interface ActionSpec { readonly run: Action; readonly subject?: 'ID' | 'FILE'; readonly options: readonly string[]; /** Writes nothing. */ readonly looks?: true }

const ACTIONS: Readonly<Record<string, ActionSpec>> = {
  create: { run: create, options: ['owner', 'email', 'tier', 'status', 'scopes', 'roles', 'name', 'notes', 'expires', 'environment', 'networks', 'limits'] },
  list: { run: list, options: ['owner', 'limit', 'after'], looks: true },
  show: { run: show, subject: 'ID', options: [], looks: true },
  rotate: { run: rotate, subject: 'ID', options: ['overlap', 'expires'] },
  revoke: { run: ending('revoke', 'revoked'), subject: 'ID', options: [] },
  suspend: { run: ending('suspend', 'suspended'), subject: 'ID', options: [] },
  resume: { run: ending('resume', 'active again'), subject: 'ID', options: [] },
  import: { run: importFile, subject: 'FILE', options: [] },
  export: { run: exportStore, options: [], looks: true },
  migrate: { run: migrate, options: ['store'] },
}

const EVERYWHERE: ReadonlySet<string> = new Set(['authenticator', 'config', 'json', 'quiet', 'no-color', 'help'])

/** @throws {UsageError} for another action, a missing or surplus argument, and an option that would do nothing here */
function actionOf({ positionals, options }: Invocation): { spec: ActionSpec; subject: string } {
  const [name = '', subject, ...more] = positionals
  const spec = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
  if (!spec) throw new UsageError(`there is no "postern keys ${name}". One of: ${Object.keys(ACTIONS).join(', ')}`)
  if (spec.subject === undefined ? subject !== undefined : subject === undefined || more.length > 0) throw new UsageError(`usage: postern keys ${name}${spec.subject ? ` ${spec.subject}` : ''} [OPTIONS]`)
  const idle = Object.keys(options).find((each) => options[each] !== undefined && !EVERYWHERE.has(each) && !spec.options.includes(each))
  if (idle !== undefined) throw new UsageError(`--${idle} means nothing to postern keys ${name}`)
  return { spec, subject: subject ?? '' }
}

/** @throws {ConfigFileError} when the stores are configured wrongly; {@link OperatorError} when it is not clear whose keys are meant */
function settingsOf(loaded: LoadedConfig, wanted: string | undefined): ManagedKeySettings {
  const mistakes: Mistake[] = []
  const all = allManagedKeySettings(loaded.config, { mistakes, warnings: [] })
  if (mistakes.length > 0) throw new ConfigFileError(loaded.placed(mistakes))
  const names = all.map(({ name }) => name)
  const [first, ...others] = wanted === undefined ? all : all.filter(({ name }) => name === wanted)
  if (!first) throw new OperatorError(names.length === 0 ? 'no authenticator of this config has a key store; give one `store` and `pepper`' : `there is no key store of "${wanted}". One of: ${names.join(', ')}`, EXIT.config)
  if (others.length > 0) throw new UsageError(`several authenticators have a key store; say which with --authenticator. One of: ${names.join(', ')}`)
  return first
}

async function perform(invocation: Invocation): Promise<void> {
  const { spec, subject } = actionOf(invocation)
  const loaded = loadConfig({ file: requireConfigFile(invocation), env: invocation.env })
  const settings = settingsOf(loaded, textOption(invocation.options, 'authenticator'))
  const audit = actAudit(loaded)
  const desk = openKeyDesk(settings, { clock: Date.now, onAct: (act) => audit.tell(keyAct(act, settings.name)), busyTimeoutMs: BUSY_TIMEOUT_MS, looking: spec.looks === true })
  try {
    await spec.run({ desk, settings, loaded, invocation, subject, actor: actorOf() })
  } finally {
    await desk.close()
    await audit.close()
  }
}

/** `postern keys …`: manages the keys of the store that the config names, beside a running Postern or without one. */
export const run: Run = async (invocation) => {
  try {
    await perform(invocation)
    return EXIT.ok
  } catch (error) {
    if (error instanceof ConfigFileError) {
      invocation.terminal.print(formatMistakes(error.mistakes, { color: invocation.terminal.color }))
      return EXIT.config
    }
    if (error instanceof KeyActRefused) throw error.code === 'request_invalid' ? new UsageError(error.message) : new OperatorError(error.message)
    if (error instanceof KeyStoreUnavailable) throw new OperatorError(error.message)
    throw error
  }
}
