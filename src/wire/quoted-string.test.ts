import { expect, test } from 'vitest'
import { quotedString } from './quoted-string.ts'

test.each([
  ['plain text stays', 'orders api', '"orders api"'],
  ['quotes and backslashes are escaped', 'a"b\\c', String.raw`"a\"b\\c"`],
  ['a line break cannot end the field', 'a\r\nSet-Cookie: x', '"a%0D%0ASet-Cookie: x"'],
  ['other characters are percent-encoded', 'Zürich 🔑', '"Z%C3%BCrich %F0%9F%94%91"'],
  ['half a character does not throw', 'a\ud800', '"a%EF%BF%BD"'],
  ['empty text is an empty string', '', '""'],
])('%s', (_title, text, expected) => {
  expect(quotedString(text)).toBe(expected)
})
