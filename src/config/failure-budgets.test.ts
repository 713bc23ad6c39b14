import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { request } from '../../test/support/described.ts'
import { SILENT } from '../model/event.ts'
import { compile } from './compile.ts'
import { loadConfig } from './load.ts'
import { ConfigFileError } from './mistake.ts'
import { createResources } from './resources.ts'

const SECRET = 'a-secret-of-more-than-thirty-two-characters'
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token for a subject, signed with the right secret or with another one. */
function token(sub: string, now: number, secret = SECRET): string {
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: 'https://a.example', aud: 'orders', sub, iat: Math.floor(now / 1_000), exp: Math.floor(now / 1_000) + 3_600 })}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

const text = (budgets: string): string => `
version: 1
upstream: http://127.0.0.1:1
client_ip: {direct: true}
auth: [{jwt: {issuer: https://a.example, audience: orders, secret: ${SECRET}}}]
failed_authentication: ${budgets}
`

const load = (budgets: string) => loadConfig({ file: 'postern.yaml', env: {}, readFile: () => ({ text: text(budgets), worldReadable: false }) })

function gateway(budgets: string) {
  let now = 1_800_000_000_000
  const { gateway: compiled } = compile(load(budgets).config, createResources({ clock: () => now, observer: SILENT }))
  const ask = async (sub: string, ip: string, secret?: string): Promise<string> => {
    const described = { ...request({ ip, headers: { authorization: `Bearer ${token(sub, now, secret)}` } }), receivedAt: now }
    const match = compiled.point.match(described)
    if ('outcome' in match) throw new Error('no route')
    const decision = await compiled.point.decide(described, match)
    return decision.outcome === 'deny' ? decision.denial.code : decision.outcome
  }
  return { ask, guess: (sub: string, ip: string) => ask(sub, ip, 'another-secret-of-more-than-thirty-two'), pass: (ms: number) => void (now += ms) }
}

describe('budgets of refused credentials', () => {
  it('one per address: who has guessed too often is not verified any more, others are', async () => {
    const { ask, guess } = gateway('{limit: 3/minute}')
    for (let n = 0; n < 3; n += 1) expect(await guess('alice', '192.0.2.1')).toBe('credential_rejected')
    expect(await ask('alice', '192.0.2.1')).toBe('quota_exceeded')
    expect(await ask('alice', '192.0.2.2')).toBe('allow')
  })

  it('one per account, from however many addresses and however it is spelled', async () => {
    const { ask, guess } = gateway('[{limit: 100/minute}, {limit: 3/minute, key: account}]')
    for (const [n, name] of ['alice', 'Alice', ' ALICE'].entries()) expect(await guess(name, `192.0.2.${n}`)).toBe('credential_rejected')
    expect(await guess('alice', '192.0.2.99')).toBe('quota_exceeded')
    expect(await ask('bob', '192.0.2.99')).toBe('allow')
  })

  it('who goes on guessing waits twice as long each time', async () => {
    const { guess, pass } = gateway('{limit: 2/minute, backoff: 10m}')
    const waits: number[] = []
    for (let round = 0; round < 4; round += 1) {
      await guess('alice', '192.0.2.1')
      await guess('alice', '192.0.2.1')
      let minutes = 0
      for (; (await guess('nobody', '192.0.2.1')) === 'quota_exceeded' && minutes < 30; minutes += 1) pass(60_000)
      waits.push(minutes)
    }
    expect(waits.slice(0, 3)).toEqual([1, 2, 4])
  })

  it('success costs nothing', async () => {
    const { ask, guess } = gateway('[{limit: 2/minute}, {limit: 2/minute, key: account}]')
    for (let n = 0; n < 10; n += 1) expect(await ask('alice', '192.0.2.1')).toBe('allow')
    expect(await guess('alice', '192.0.2.1')).toBe('credential_rejected')
  })

  it.each([
    ['[{limit: 3/minute}, {limit: 4/minute}]', 'another budget is per client_ip already'],
    ['{limit: 3/minute, backoff: 30s}', 'not longer than the window of the limit, so it would never grow'],
  ])('%s cannot be meant', (budgets, message) => {
    expect(() => load(budgets)).toThrow(ConfigFileError)
    expect(() => load(budgets)).toThrow(message)
  })
})
