import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createMetrics } from './metrics.ts'
import { metricsDocument } from './metrics-document.ts'

const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
const documented = [...page.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`)

describe('docs/metrics.md', () => {
  it('is what the code would write; `npm run docs` writes it', () => {
    expect(page).toBe(metricsDocument())
  })

  it('names exactly the metrics that a scrape gives', async () => {
    const metrics = createMetrics({ version: '0', revision: 'test' })
    const { body } = await metrics.expose()
    metrics.close()
    expect([...body.matchAll(/^# TYPE (\w+ \w+)$/gm)].map(([, entry]) => entry)).toEqual(documented)
  })
})
