import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { REASONS } from '../model/reason.ts'
import { problemsDocument } from './problems-document.ts'
import { PROBLEMS } from './problems.ts'

const file = readFileSync(new URL('../../docs/problems.md', import.meta.url), 'utf8')

/** First cells of the table rows under a heading. */
function documented(heading: string): readonly string[] {
  const section = file.split(/^## /m).find((part) => part.startsWith(heading)) ?? ''
  return [...section.matchAll(/^\| `([a-z_]+)` \|/gm)].map((match) => match[1] ?? '')
}

test('docs/problems.md is what the tables say; `npm run docs` renews it', () => {
  expect(file).toBe(problemsDocument())
})

test('every code is documented, and no other', () => {
  expect(documented('Codes')).toEqual(Object.keys(PROBLEMS))
})

test('every reason is documented, and no other', () => {
  expect(documented('Reasons')).toEqual(Object.keys(REASONS))
})
