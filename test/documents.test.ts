import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { documents } from '../scripts/documents.ts'

describe('generated pages', () => {
  it.each([...documents()])('%s is what the code says now; npm run docs writes it', (path, text) => {
    expect(readFileSync(join(import.meta.dirname, '..', path), 'utf8')).toBe(text)
  })
})
