import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { memberFaultOf } from '../../../src/authenticators/duplicate-member.ts'
import { duplicateMember } from '../../../src/wire/json-members.ts'
import { fuzzTarget } from '../fuzz-target.ts'
import { mutated } from '../inputs.ts'

interface Found { duplicate: boolean; prototype: boolean; depth: number }

/** A parser by the grammar of RFC 8259, one function a rule, that only notes what it meets; the text is known to be JSON. */
function walk(text: string): Found {
  const found: Found = { duplicate: false, prototype: false, depth: 0 }
  let at = 0
  const blanks = (): void => {
    while (/[ \t\r\n]/.test(text[at] ?? '')) at += 1
  }
  const literal = (): string => {
    const match = /"(?:[^"\\]|\\.)*"/y
    match.lastIndex = at
    const [whole = ''] = match.exec(text) ?? []
    at += whole.length
    return String(JSON.parse(whole))
  }
  const value = (depth: number): void => {
    found.depth = Math.max(found.depth, depth)
    blanks()
    if (text[at] === '{') members(depth + 1)
    else if (text[at] === '[') items(depth + 1)
    else if (text[at] === '"') literal()
    else while (at < text.length && !/[,\]} \t\r\n]/.test(text[at] ?? '')) at += 1
    blanks()
  }
  const items = (depth: number): void => {
    found.depth = Math.max(found.depth, depth)
    at += 1
    blanks()
    while (text[at] !== ']') {
      value(depth)
      if (text[at] === ',') at += 1
    }
    at += 1
  }
  const members = (depth: number): void => {
    found.depth = Math.max(found.depth, depth)
    const names = new Set<string>()
    at += 1
    blanks()
    while (text[at] !== '}') {
      blanks()
      const name = literal()
      found.duplicate ||= names.has(name)
      found.prototype ||= name === '__proto__'
      names.add(name)
      blanks()
      at += 1
      value(depth)
      if (text[at] === ',') at += 1
    }
    at += 1
  }
  value(0)
  return found
}

const MAX_DEPTH = 32

function check(text: string): string {
  try {
    JSON.parse(text)
  } catch {
    return 'no JSON'
  }
  const { duplicate, prototype, depth } = walk(text)
  const [token, body] = [memberFaultOf(text), duplicateMember(text, MAX_DEPTH)]
  assert.equal(token !== undefined, duplicate || prototype || depth > MAX_DEPTH, `${token}`)
  assert.equal(body !== undefined, duplicate || depth > MAX_DEPTH, `${body}`)
  return token ?? body ?? 'plain'
}

const name = fc.constantFrom('"a"', '"b"', '"\\u0061"', '"__proto__"', '"\\u005f_proto__"', '""', '"\\""', '"\\\\"', '"a,"', '"{"', '"]"', '"é"', '"\\ud800"', '"constructor"', '"sub"', '"s\\u0075b"')
const scalar = fc.oneof(name, fc.constantFrom('1', '-0.5e3', 'true', 'null', '"\\\\\\""', '"{\\"a\\":1,\\"a\\":2}"'))
const blank = fc.constantFrom('', '', '', ' ', '\n', '\t')
const { tree } = fc.letrec<{ tree: string; object: string; list: string }>((tie) => ({
  tree: fc.oneof({ maxDepth: 4, depthSize: 'small' }, scalar, tie('object'), tie('list')),
  object: fc.tuple(fc.array(fc.tuple(name, blank, tie('tree')).map(([key, gap, value]) => `${gap}${key}${gap}:${value}`), { maxLength: 4 }), blank).map(([all, gap]) => `{${gap}${all.join(`${gap},`)}}`),
  list: fc.array(tie('tree'), { maxLength: 4 }).map((all) => `[${all.join(',')}]`),
}))
const deep = fc.tuple(tree, fc.integer({ min: 25, max: 40 }), fc.constantFrom(['[', ']'], ['{"a":', '}'])).map(([inner, count, [before = '', behind = '']]) => before.repeat(count) + inner + behind.repeat(count))

export const jsonTexts = fuzzTarget<string>({
  name: 'json-texts',
  subject: 'JSON of tokens and bodies: members that stand twice, also in escapes, deep nesting, quotes and brackets inside texts',
  oracle: 'a parser by the grammar, one function a rule',
  where: 'in process',
  verdicts: ['plain', 'duplicate', 'prototype', 'too_deep', 'too deep', 'no JSON'],
  batch: 50_000,
  weight: 10,
  open: () => ({ inputs: fc.oneof({ weight: 6, arbitrary: tree }, { weight: 1, arbitrary: deep }, { weight: 3, arbitrary: mutated(tree, ['"', '\\', ',', ':', '{', '}', '[', ']', ' ']) }), check }),
})
