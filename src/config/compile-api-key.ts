import { readFileSync } from 'node:fs'
import { sha256Hex } from '../base/bytes.ts'
import { createApiKeyAuthenticator, type KeyCheck } from '../authenticators/api-key.ts'
import { anchored, type AssertedSubject } from '../authenticators/asserted-subject.ts'
import { createManagedKeyCheck } from '../authenticators/managed-keys.ts'
import { createStaticKeyCheck, digestOf, keysByDigest, keysOfCsv, type StaticKey, type StaticKeys } from '../authenticators/static-keys.ts'
import type { Authenticator } from '../model/ports.ts'
import { carriersOf, complain, forwardingOf, type AuthenticatorContext } from './authenticator-context.ts'
import { compileManagedKeys } from './compile-managed-keys.ts'
import { compileStaticKeys, valueFault, type KeyForm } from './compile-static-key.ts'
import { countShortKeys, openKeyList } from './key-list-file.ts'
import type { AuthenticatorConfig } from './schema.ts'

type ApiKeyConfig = Extract<AuthenticatorConfig, { type: 'api_key' }>

/** A group that repeats and is itself repeated, or a reference back: patterns that can take for ever. */
const isDangerous = (pattern: string): boolean => /\\[1-9]|\\k</.test(pattern) || /\([^()]*[+*{|][^()]*\)[+*{]/.test(pattern)

function subjectOf({ subject }: ApiKeyConfig, context: AuthenticatorContext): AssertedSubject | undefined {
  if (!subject) return undefined
  if (isDangerous(subject.pattern)) complain(context, ['subject', 'pattern'], 'a repeated group with repetition inside, or a back reference, can take for ever; write it without')
  try {
    return { header: subject.from_header.toLowerCase(), required: subject.required, maxLength: subject.max_length, pattern: anchored(subject.pattern) }
  } catch {
    complain(context, ['subject', 'pattern'], `${JSON.stringify(subject.pattern)} is not a regular expression`)
    return undefined
  }
}

function writtenKeys({ keys = [] }: ApiKeyConfig, form: KeyForm, context: AuthenticatorContext): readonly StaticKey[] {
  const compiled = compileStaticKeys(keys, form)
  for (const { path, message } of compiled.mistakes) complain(context, ['keys', ...path], message)
  return compiled.keys
}

function csvKeys({ keys_csv: csv = '', keys_csv_subject: label }: ApiKeyConfig, form: KeyForm, context: AuthenticatorContext): readonly StaticKey[] {
  return keysOfCsv(csv, label).map(({ id, value }, index) => {
    const fault = valueFault(value, form)
    if (fault !== undefined) complain(context, ['keys_csv'], `number ${index + 1}: ${fault}`)
    return { id, subject: id, digest: digestOf(value), scopes: [], roles: [], assertSubject: false }
  })
}

/** One key that stands for two would stand for whoever is looked up first. */
function checkDistinct(keys: readonly StaticKey[], context: AuthenticatorContext): void {
  const ids = new Map<string, string>()
  for (const { digest, id } of keys) {
    const other = ids.get(digest)
    if (other !== undefined && other !== id) complain(context, ['keys_csv'], `"${id}" and "${other}" are the same key: nobody could say who it stands for`)
    ids.set(digest, id)
  }
}

function fileKeys({ file }: ApiKeyConfig, form: KeyForm, context: AuthenticatorContext): (() => StaticKeys) | undefined {
  if (file === undefined) return undefined
  const { resources, readiness } = context
  try {
    const list = resources.keep('key_list', sha256Hex(JSON.stringify([file, form])), () => openKeyList(file, form, resources.observer))
    readiness.push({ name: `${context.name} ${file}`, ready: async () => undefined, state: () => ({ keys: list.value().size, lastError: list.error() }) })
    return list.value
  } catch (error) {
    complain(context, ['file'], `${file} is not usable: ${error instanceof Error ? error.message : 'it cannot be read'}`)
    return undefined
  }
}

/** Keys that can be guessed are told of, never refused: changing them is up to their owner. */
function warnOfShortKeys({ keys = [], keys_csv: csv = '', keys_csv_subject: label, file, recommended_length: length = 0 }: ApiKeyConfig, { warnings, path }: AuthenticatorContext): void {
  const short = (values: readonly string[]): number => values.filter((value) => value !== '' && value.length < length).length
  const counts = [
    ['keys', short(keys.map(({ value }) => value ?? ''))],
    ['keys_csv', short(keysOfCsv(csv, label).map(({ value }) => value))],
    ['file', file === undefined ? 0 : countShortKeys(readFileSync(file, 'utf8'), length)],
  ] as const
  for (const [place, count] of counts) {
    if (count > 0) warnings.push({ path: [...path, place], message: `${count === 1 ? 'a key' : `${count} keys`} of fewer than ${length} characters: make longer ones, such as "openssl rand -hex 32" prints` })
  }
}

interface Checks { readonly checks: readonly KeyCheck[]; readonly places: () => readonly string[]; readonly ended?: NonNullable<Authenticator['ended']> }

/** Every place where keys are, in the order in which they are asked. Empty: off. */
function checksOf(apiKey: ApiKeyConfig, subject: AssertedSubject | undefined, context: AuthenticatorContext): Checks {
  const form: KeyForm = { minLength: apiKey.min_length, prefixes: prefixesOf(apiKey), asserts: apiKey.subject !== undefined }
  const [written, csv] = [writtenKeys(apiKey, form, context), csvKeys(apiKey, form, context)]
  checkDistinct([...written, ...csv], context)
  const inConfig = keysByDigest([...csv, ...written])
  const inFile = fileKeys(apiKey, form, context)
  const sources = [...(inConfig.size > 0 ? [() => inConfig] : []), ...(inFile ? [inFile] : [])]
  const managed = compileManagedKeys(context)
  return {
    places: () => [
      ...(inConfig.size > 0 ? [`${counted(inConfig.size)} of the config`] : []),
      ...(inFile ? [`${counted(inFile().size)} of ${apiKey.file ?? ''}`] : []),
      ...(managed ? ['a store of issued keys (`postern keys list` shows them)'] : []),
    ],
    checks: [
      ...(sources.length > 0 ? [createStaticKeyCheck({ authenticatorId: context.name, sources, subject })] : []),
      ...(managed ? [createManagedKeyCheck({ authenticatorId: context.name, lookup: managed.lookup })] : []),
    ],
    ...(managed && { ended: ({ credentialId }, now) => (credentialId === undefined ? false : managed.lookup.ended(credentialId, now)) }),
  }
}

const counted = (keys: number): string => `${keys} ${keys === 1 ? 'key' : 'keys'}`

const prefixesOf = ({ prefix = [] }: ApiKeyConfig): readonly string[] => prefix.filter((each) => each !== '')

/** The authenticator, or undefined when it is off (no key anywhere) or something is wrong with it. */
export function compileApiKey(apiKey: ApiKeyConfig, context: AuthenticatorContext): Authenticator | undefined {
  const before = context.mistakes.length
  const subject = subjectOf(apiKey, context)
  const { checks, places, ended } = checksOf(apiKey, subject, context)
  const carriers = carriersOf(apiKey.in, apiKey.bearer_scheme, context)
  if (context.mistakes.length > before) return undefined
  warnOfShortKeys(apiKey, context)
  if (checks.length === 0) {
    context.warnings.push({ path: context.path, message: 'this authenticator is off: no key is configured, or the variables that feed it are empty' })
    return undefined
  }
  return createApiKeyAuthenticator({
    id: context.name,
    realm: apiKey.realm ?? 'postern',
    forwardCredential: forwardingOf(apiKey.credential, 'api_key', carriers, context),
    carriers,
    prefixes: prefixesOf(apiKey),
    minLength: apiKey.min_length,
    subject,
    checks,
    places,
    ...(ended && { ended }),
  })
}
