import { resolve } from 'node:path'
import type { ConfigPath } from './mistake.ts'
import { isMap } from './schema-walk.ts'

/** Keys of the long form whose text is a path; `*` is any name or index. A new kind with a file adds a line. */
const FILE_KEYS: readonly (readonly string[])[] = [
  ...['certificate', 'key', 'client_ca'].flatMap((name) => [['listen', 'tls', name], ['forward_auth', 'listen', 'tls', name], ['forward_auth', 'grpc', 'tls', name]]),
  ...['certificate', 'key', 'client_ca'].map((name) => ['admin', 'tls', name]),
  ['upstreams', '*', 'ca'],
  ['store', 'tls', 'ca'],
  ['store', 'tls', 'certificate'],
  ['store', 'tls', 'key'],
  ['authenticators', '*', 'jwks_file'],
  ['authenticators', '*', 'issuers', '*', 'jwks_file'],
  ['authenticators', '*', 'file'],
  ...['ca', 'certificate', 'key'].flatMap((name) => [['authenticators', '*', 'store', 'tls', name], ['deny_list', 'store', 'tls', name]]),
]

/** Files that Postern or somebody else may only make later; `redis://` and the like are no files. */
const LATER_FILE_KEYS: readonly (readonly string[])[] = [
  ['deny_list', 'store'],
  ['authenticators', '*', 'store'],
  ['authenticators', '*', 'import'],
]

const isUrl = (text: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(text)

/** Makes file names absolute: they are meant from the folder of the config, wherever Postern was started. */
export const withAbsolutePaths = (tree: unknown, directory: string): unknown =>
  [...FILE_KEYS, ...LATER_FILE_KEYS].reduce((changed, keys) => mapAt(changed, keys, (value) => (typeof value === 'string' && value !== '' && !isUrl(value) ? resolve(directory, value) : value)), tree)

function mapAt(tree: unknown, [key, ...rest]: readonly string[], change: (value: unknown) => unknown): unknown {
  if (key === undefined) return change(tree)
  if (Array.isArray(tree)) return key === '*' ? tree.map((item) => mapAt(item, rest, change)) : tree
  if (!isMap(tree)) return tree
  return Object.fromEntries(Object.entries(tree).map(([name, value]) => [name, key === '*' || key === name ? mapAt(value, rest, change) : value]))
}

/** The files that a tree names, with their paths. */
export function namedFiles(tree: unknown): readonly { readonly path: ConfigPath; readonly file: string }[] {
  const under = (value: unknown, [key, ...rest]: readonly string[], path: ConfigPath): readonly { path: ConfigPath; file: string }[] => {
    if (key === undefined) return typeof value === 'string' && value !== '' ? [{ path, file: value }] : []
    if (Array.isArray(value)) return key === '*' ? value.flatMap((item, index) => under(item, rest, [...path, index])) : []
    if (!isMap(value)) return []
    return Object.entries(value).flatMap(([name, inner]) => (key === '*' || key === name ? under(inner, rest, [...path, name]) : []))
  }
  return FILE_KEYS.flatMap((keys) => under(tree, keys, []))
}
