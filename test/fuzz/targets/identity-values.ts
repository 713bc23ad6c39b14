import assert from 'node:assert/strict'
import { validateHeaderValue } from 'node:http'
import * as fc from 'fast-check'
import { isSubject } from '../../../src/authenticators/subject.ts'
import { safeHeaderValue } from '../../../src/wire/header-value.ts'
import { fuzzTarget } from '../fuzz-target.ts'

/** RFC 8187 read by whoever gets it; undefined for what is no valid extended value. */
function decoded(value: string): string | undefined {
  if (!/^utf-8''/i.test(value)) return value
  if (!/^UTF-8''(?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-F]{2})*$/.test(value)) return undefined
  try {
    return decodeURIComponent(value.slice(7))
  } catch {
    return undefined
  }
}

function check([text, other]: readonly [string, string]): string {
  const value = safeHeaderValue(text)
  // Visible ASCII and inner spaces: nothing that any reader trims, folds or takes for the end of the line.
  assert.match(value, /^$|^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/)
  validateHeaderValue('x-user-id', value)
  if (text !== other) assert.notEqual(value, safeHeaderValue(other), 'two texts, one value')
  assert.equal(decoded(value), text.isWellFormed() ? text : undefined)
  if (isSubject(text)) assert.ok(text.length > 0 && text.length <= 255 && text.trim() === text && !/[\p{Cc}\u2028\u2029]/u.test(text) && text.isWellFormed())
  return value === text ? 'as it is' : text.isWellFormed() ? 'encoded' : 'half a character'
}

const unit = fc.oneof({ weight: 6, arbitrary: fc.constantFrom('a', 'Z', '0', ' ', '%', "'", '"', '-', '@', '.', '\\', ',', ';', '*') }, { weight: 2, arbitrary: fc.constantFrom('\r', '\n', '\0', '\t', '\x7f', '\x85', '\xa0', '\u2028', '\ufeff', 'é', 'e\u0301', 'я', '＠', '\u202e', '😀') }, { weight: 1, arbitrary: fc.nat(0xffff).map((code) => String.fromCharCode(code)) })
const text = fc.tuple(fc.constantFrom('', '', '', '', "UTF-8''", "utf-8''", 'UTF-8', "UTF-8''%41"), fc.string({ unit, maxLength: 10 })).map(([start, rest]) => start + rest)
/** A text and one that is nearly the same. */
const pair = fc.tuple(text, fc.constantFrom(' ', '%20', "UTF-8''", '\ud800', '\ufffd', 'é', '')).map(([first, more]) => [first, more === '\ufffd' ? first.toWellFormed() : more === '' ? encodeURIComponent(first.toWellFormed()) : first + more] as const)

export const identityValues = fuzzTarget<readonly [string, string]>({
  name: 'identity-values',
  subject: 'subjects and other texts on their way into a header: controls, blanks, half characters, look-alikes of the encoding itself',
  oracle: 'a decoder of RFC 8187 gives the text back; two texts never give one value; `http.validateHeaderValue`',
  where: 'in process',
  verdicts: ['as it is', 'encoded', 'half a character'],
  batch: 100_000,
  weight: 20,
  open: () => ({ inputs: pair, corpus: [['admin', ' admin'], ["UTF-8''admin", 'admin'], ['\ud800', '\ufffd'], ['', ' '], ['null', 'undefined']], check }),
})
