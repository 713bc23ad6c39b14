// Expectations (T4, T13). Repeats PortSwigger's "HTTP/1.1 must die" (2025), Node's reading of `y 100-continue` as 100-continue, and the
// hook that http-proxy skips for requests with Expect (node-http-proxy #1219, #1328; finding F2).
import { describe, expect, it } from 'vitest'
import { bearer, bytesOf, chunked, SMUGGLED, startTarget } from './target.ts'

const { attack, token } = await startTarget()

const lengthOf = (text: string): string => `Content-Length: ${text.length}`

describe('an expectation that is not 100-continue', () => {
  it.each(['x', 'y 100-continue', '100-continue, x', '100-continue y', '200-ok', '100-continue;q=1', '"100-continue"'])('%j: 417, hung up, and the body is never a request', async (value) => {
    for (const body of [[lengthOf(SMUGGLED), SMUGGLED], ['Transfer-Encoding: chunked', chunked(SMUGGLED)]]) {
      const { statuses, arrived, answers } = await attack(bytesOf('POST /public/x', [`Expect: ${value}`, body[0]!], body[1]!), { answers: Infinity })
      expect(statuses).toEqual([417])
      expect(answers[0]?.closed).toBe(true)
      expect(arrived).toEqual([])
    }
  })

  it.each(['x', 'y 100-continue'])('%j without a body is 417 too, and forged identities stay where they are', async (value) => {
    expect((await attack(bytesOf('GET /public/x', [`Expect: ${value}`, 'X-User-Id: root']), { answers: Infinity })).statuses).toEqual([417])
  })

  it('in two lines is 417', async () => {
    expect((await attack(bytesOf('POST /public/x', ['Expect: 100-continue', 'Expect: 100-continue', lengthOf('ab')], 'ab'), { answers: Infinity })).statuses).toEqual([417])
  })
})

describe('100-continue', () => {
  it.each(['100-continue', '100-Continue', '100-CONTINUE'])('%s is answered here, after the decision, and goes no further', async (value) => {
    const { statuses, arrived } = await attack(bytesOf('POST /guarded/x', [`Expect: ${value}`, 'X-User-Id: root', bearer(await token()), lengthOf(SMUGGLED), 'Connection: close'], SMUGGLED), { answers: Infinity })
    expect(statuses).toEqual([100, 200])
    expect(arrived).toHaveLength(1)
    expect(arrived[0]!.body.toString()).toBe(SMUGGLED)
  })

  it('is not answered for what is refused: the body is not asked for, and what is sent anyway is not a request', async () => {
    const { statuses, arrived, answers } = await attack([bytesOf('POST /guarded/x', ['Expect: 100-continue', lengthOf('abcd')]), SMUGGLED], { answers: Infinity })
    expect(statuses).toEqual([401])
    expect(answers[0]?.closed).toBe(true)
    expect(arrived).toEqual([])
  })

  it('without a body is an ordinary request', async () => {
    const { statuses, arrived } = await attack(bytesOf('GET /public/x', ['Expect: 100-continue', 'X-User-Id: root', 'Connection: close']), { answers: Infinity })
    expect(statuses.at(-1)).toBe(200)
    expect(arrived).toHaveLength(1)
  })
})
