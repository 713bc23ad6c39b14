import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { isDenial } from '../../../src/model/denial.ts'
import { MAX_TARGET_LENGTH, targetOf } from '../../../src/wire/target.ts'
import { ACCEPTED, READERS, REFUSED } from '../../attack/ambiguous-targets.ts'
import { fuzzTarget } from '../fuzz-target.ts'
import { mutated, perhapsMutated, soup } from '../inputs.ts'

interface Input { readonly rawTarget: string; readonly method: string }

const PIECES = ['/', '/', '/public', '/public/', '/admin', 'x', '.', '..', '/..', '/.', '//', '%2e', '%2E', ';', '%3b', '%3B', '%23', '%3F', '%2f', '%5c', '\\', '?', '#', '%', '%25', '%252e', '%c3%a9', '%C0%AE', '%ed%a0%80', '%f0%9f%98%80', '%e2%82%ac', '%80', '%00', '%0d%0a', ' ', '\xe9', '*', 'http://', '@', ':80', '%61', '%41', '%7e', '%20', '%zz', '%u002e', '~', '|', '"', '{', '[', '^', '`', '<', "'", 'a', 'D', '0', '2', '5', '\t', '\0', '\x7f'] as const

/** The rule again, by other means: regular expressions and the engine's own decoder instead of a walk over characters. */
function isPlain(path: string): boolean {
  if (!/^\/[\x21-\x7e]*$/.test(path) || /[#\\;]/.test(path) || /\/\//.test(path)) return false
  if (/%(?![0-9a-f]{2})/i.test(path) || /%25[0-9a-f]{2}/i.test(path)) return false
  // oxlint-disable-next-line no-control-regex -- they are what must not be there
  for (const [, hex = ''] of path.matchAll(/%([0-9a-f]{2})/gi)) if (/[\x00-\x1f\x7f/\\.A-Za-z0-9\-_~]/.test(String.fromCharCode(Number.parseInt(hex, 16)))) return false
  if (path.split('/').slice(1).some((segment) => /^\.\.?(%(20|23|3b|3f).*)?$/i.test(segment))) return false
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

function isAccepted(rawTarget: string, method: string): boolean {
  if (rawTarget === '*') return method === 'OPTIONS'
  const [, path = '', query = ''] = /^([^?]*)\??([^]*)$/.exec(rawTarget) ?? []
  return rawTarget.length <= MAX_TARGET_LENGTH && isPlain(path) && /^[\x21\x22\x24-\x7e]*$/.test(query)
}

/** A route of the same name governs what is under `/public`, as every config has it. */
const opens = (path: string): boolean => path === '/public' || path.startsWith('/public/')

/** What WHATWG URL encodes in a path that was not encoded; it changes nothing else of what is accepted. */
const asUrl = (path: string): string => path.replaceAll(/["<>`{}^]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

function check({ rawTarget, method }: Input): string {
  const target = targetOf({ rawTarget, method, host: 'api.test', scheme: 'http' })
  assert.equal(!isDenial(target), isAccepted(rawTarget, method))
  if (isDenial(target)) return 'refused'
  const { path, query } = target
  assert.ok(rawTarget === (query === '' ? path : `${path}?${query}`) || rawTarget === `${path}?`)
  if (path === '*') return 'accepted'
  assert.equal(new URL(path, 'http://upstream.test').pathname, asUrl(path))
  if (!opens(path)) return 'accepted'
  for (const [reader, read] of Object.entries(READERS)) assert.ok(opens(read(path)), `${reader} reads ${read(path)}`)
  return 'accepted and open'
}

const methods = fc.constantFrom('GET', 'GET', 'OPTIONS')
const known = fc.constantFrom(...REFUSED, ...ACCEPTED)
const rawTargets = fc.oneof(soup(PIECES).map((text) => `/${text}`), soup(PIECES).map((text) => `/public/${text}`), perhapsMutated(known, PIECES), mutated(fc.constantFrom(...ACCEPTED), ['a', '/', '%41', '%20', '?', '=', '.']), soup(PIECES))

export const requestTarget = fuzzTarget<Input>({
  name: 'request-target',
  subject: 'request targets: pieces that readers disagree about, known attacks with up to three changes',
  oracle: 'the rule written a second time with other means; `URL`; seven naive readers of other servers, none of which may see a closed path where an open one was judged; what is accepted is unchanged',
  where: 'in process',
  verdicts: ['accepted', 'accepted and open', 'refused'],
  batch: 50_000,
  weight: 12,
  open: () => ({ inputs: fc.record({ rawTarget: rawTargets, method: methods }), corpus: [...REFUSED, ...ACCEPTED].map((rawTarget) => ({ rawTarget, method: 'GET' })), check }),
})
