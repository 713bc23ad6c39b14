import { z } from 'zod'
import { keysByDigest, type StaticKeys } from '../authenticators/static-keys.ts'
import { createWatchedFile, type WatchedFile } from '../authenticators/watched-file.ts'
import type { Observer } from '../model/event.ts'
import { compileStaticKeys, staticKeyList, type KeyForm } from './compile-static-key.ts'
import { pathText } from './mistake.ts'
import { readSourceTree } from './source-tree.ts'

const document = z.strictObject({ keys: staticKeyList })

/** Throws with every mistake in one line; messages name places, never values. */
function refuse(mistakes: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]): void {
  if (mistakes.length === 0) return
  throw new Error(mistakes.map(({ path, message }) => `${pathText(path.map((key) => (typeof key === 'number' ? key : String(key))))}: ${message}`).join('; '))
}

/** @throws {Error} when the text is not `keys:` and a list of keys */
export function readKeyList(text: string, form: KeyForm): StaticKeys {
  const { value, mistakes } = readSourceTree(text)
  refuse(mistakes)
  const parsed = document.safeParse(value)
  if (!parsed.success) refuse(parsed.error.issues)
  const compiled = compileStaticKeys(parsed.data?.keys ?? [], form)
  refuse(compiled.mistakes.map(({ path, message }) => ({ path: ['keys', ...path], message })))
  return keysByDigest(compiled.keys)
}

/** How many keys of a file stand there in clear and have fewer characters than are recommended. The text must have been read before without a mistake. */
export function countShortKeys(text: string, recommended: number): number {
  const parsed = document.safeParse(readSourceTree(text).value)
  return (parsed.data?.keys ?? []).filter(({ value = '' }) => value !== '' && value.length < recommended).length
}

/**
 * Keys from a file of their own, read again when it changes. A version with a mistake in it, or an empty one, leaves the last good
 * one in use.
 *
 * @throws {Error} when the first version is not usable
 */
export function openKeyList(path: string, form: KeyForm, observer: Observer): WatchedFile<StaticKeys> {
  return createWatchedFile({
    path,
    read: (text) => readKeyList(text, form),
    onError: (message) => observer.noticed('warn', 'key_file_unusable', `the keys in ${path} are not usable, the last good ones stay: ${message}`, { file: path }),
    onChange: (keys) => observer.noticed('info', 'key_file_read', `the keys in ${path} were read again`, { file: path, keys: keys.size }),
  })
}
