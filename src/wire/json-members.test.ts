import { expect, test } from 'vitest'
import { duplicateMember } from './json-members.ts'

test.each([
  ['an object without repetition', '{"a":1,"b":{"a":2}}', undefined],
  ['a name twice', '{"a":1,"a":2}', 'duplicate'],
  ['a name twice in an object within a list', '[0,{"a":[],"a":2}]', 'duplicate'],
  ['equal values in a list', '["a","a"]', undefined],
  ['equal names in neighbours', '[{"a":1},{"a":1}]', undefined],
  ['an escaped quote in a name', String.raw`{"a\"":1,"a":2}`, undefined],
  ['as deep as is allowed', '[[{}]]', undefined],
  ['one deeper', '[[[{}]]]', 'too deep'],
  ['wide is not deep', '[[],[],[],[[]],{}]', undefined],
])('%s', (_title, json, expected) => {
  expect(duplicateMember(json, 3)).toBe(expected)
})
