// Long runs of blanks inside a field: `/[ \t]+$/` and its like look again from every blank, which took this process half a second for each
// such request, before anybody was authenticated (CWE-1333). Found by `npm run fuzz`.
import { describe, expect, it } from 'vitest'
import { createExtract, type Carrier } from '../../src/authenticators/carriers.ts'
import { parseHead } from '../../src/faces/proxy/answer-head-syntax.ts'
import { withoutCookies } from '../../src/wire/cookies.ts'
import { request } from '../support/described.ts'

const RUN = `a${' \t'.repeat(8_000)}b`
const CARRIERS: readonly Carrier[] = [{ kind: 'bearer', scheme: 'optional' }, { kind: 'header', name: 'x-api-key' }, { kind: 'cookie', name: 'session' }]

/** Milliseconds of thirty times; the square took over three seconds. */
function timed(work: () => unknown): number {
  const startedAt = performance.now()
  for (let nth = 0; nth < 30; nth += 1) work()
  return performance.now() - startedAt
}

describe('16 KiB of blanks inside a field', () => {
  it.each(CARRIERS)('cost nothing where $kind is looked for', (carrier) => {
    const extract = createExtract([carrier])
    const headers = { authorization: `Bearer ${RUN}`, 'x-api-key': RUN, cookie: `session=${RUN}; a=${RUN}` }
    expect(timed(() => extract(request({ headers })))).toBeLessThan(300)
  })

  it('cost nothing where a session cookie is taken away', () => {
    expect(timed(() => withoutCookies(`a=${RUN}; session=${RUN}`, ['session']))).toBeLessThan(300)
  })

  it('cost nothing in an answer of the upstream', () => {
    expect(timed(() => parseHead(`HTTP/1.1 200 OK\r\nX: ${RUN}`))).toBeLessThan(300)
  })
})
