// Bodies that the judge and the upstream read differently. Go's encoding/json and ASP.NET match member names without regard to case, PHP makes
// `_` of a dot, a blank or `[` in the name of a form field, and of two Content-Type lines each takes another one.
import { describe, expect, it } from 'vitest'
import { bearer, bytesOf, startTarget } from './target.ts'

const JSON_TYPE = 'Content-Type: application/json'
const FORM_TYPE = 'Content-Type: application/x-www-form-urlencoded'
const types = { content_types: ['application/json', 'application/x-www-form-urlencoded'] }

const { attack, token } = await startTarget({
  config: {
    routes: [
      { name: 'chat', match: { path: '/chat' }, auth: ['token'], body: { require_equal: { 'user_id': 'sub', 'user.id': 'sub' }, ...types } },
      { name: 'token', match: { path: '/token' }, auth: 'none', body: { grant_types: ['password'], ...types } },
      { name: 'open', match: { path: '/open' }, auth: ['token', 'anyone'], body: { forbid_anonymous: { store: true } } },
      { name: 'login', match: { path: '/login' }, auth: 'none', body: { ...types }, rate_limit: [{ name: 'account', key: 'body.email|lower', limit: 1, window: '15m' }] },
      { name: 'asked', match: { path: '/asked' }, auth: 'none', body: {}, rate_limit: [{ name: 'asked', key: 'body.email', limit: 1, window: '15m', when: { 'query.grant_type': ['password'] } }] },
    ],
  },
})
const good = bearer(await token({ sub: 'me' }))

const post = async (path: string, headers: readonly string[], body: string) => {
  const { statuses, arrived } = await attack(bytesOf(`POST ${path}`, [...headers, `Content-Length: ${Buffer.byteLength(body)}`, 'Connection: close'], Buffer.from(body).toString('latin1')))
  return { status: statuses[0], arrived: arrived.length }
}

describe('a member that rules look at, in another spelling, is refused', () => {
  it.each([
    ['/chat', JSON_TYPE, '{"User_ID":"victim"}'], ['/chat', JSON_TYPE, '{"user_id":"me","USER_ID":"victim"}'], ['/chat', JSON_TYPE, '{"u\\u017fer_id":"victim"}'], ['/chat', JSON_TYPE, '{"user":{"ID":"victim"}}'], ['/chat', JSON_TYPE, '{"USER":{"id":"victim"}}'],
    ['/chat', FORM_TYPE, 'user.id=victim'], ['/chat', FORM_TYPE, 'user+id=victim'], ['/chat', FORM_TYPE, '+user_id=victim'], ['/chat', FORM_TYPE, 'user%5Bid=victim'], ['/chat', FORM_TYPE, 'user_id%5B%5D=victim'], ['/chat', FORM_TYPE, 'user[id]=victim'],
    ['/token', JSON_TYPE, '{"grant_type":"password","Grant_Type":"implicit"}'], ['/open', JSON_TYPE, '{"Store":true}'], ['/login', JSON_TYPE, '{"Email":"a@example.test"}'], ['/login', JSON_TYPE, '{"email":"b@example.test","EMAIL":"a@example.test"}'],
  ])('%s, %s: %s', async (path, type, body) => {
    expect(await post(path, [good, type], body)).toEqual({ status: 400, arrived: 0 })
  })

  it('and others may be spelled as they like', async () => {
    expect(await post('/chat', [good, JSON_TYPE], '{"user_id":"me","user":{"id":"me","Name":"x","name":"y"},"Model":"m","model":"n","users":[]}')).toEqual({ status: 200, arrived: 1 })
    expect(await post('/chat', [good, FORM_TYPE], 'user_id=me&user_id2=x&a.b=c&tags%5B%5D=d')).toEqual({ status: 200, arrived: 1 })
  })
})

describe('a body whose type is said twice is refused', () => {
  const polyglot = '{"a":"&user_id=victim&b="}'
  it.each([[[JSON_TYPE, FORM_TYPE]], [[JSON_TYPE, JSON_TYPE]], [[JSON_TYPE, 'Content_Type: application/x-www-form-urlencoded']], [[JSON_TYPE, 'Content_Encoding: gzip']]])('%j', async (lines) => {
    expect(await post('/chat', [good, ...lines], polyglot)).toEqual({ status: 400, arrived: 0 })
  })
})

describe('a limit by a member of the body', () => {
  it('counts what an upstream takes for the same text: lists of one, and numbers', async () => {
    for (const [first, ...others] of [['"d@example.test"', '["D@example.test"]', '[["d@example.test"]]'], ['"491234"', '491234', '[491234]']]) {
      expect((await post('/login', [JSON_TYPE], `{"email":${first}}`)).status).toBe(200)
      for (const other of others) expect(await post('/login', [JSON_TYPE], `{"email":${other}}`), other).toEqual({ status: 429, arrived: 0 })
    }
  })

  it('counts lists and objects as well, each for itself', async () => {
    for (const value of ['["e@example.test","f@example.test"]', '{"a":1}', 'true']) {
      expect([(await post('/login', [JSON_TYPE], `{"email":${value}}`)).status, (await post('/login', [JSON_TYPE], `{"email":${value}}`)).status], value).toEqual([200, 429])
    }
  })

  it('does not count what is not there', async () => {
    for (const body of ['{}', '{}', '{"email":null}', '{"email":""}', '{"email":[]}']) expect((await post('/login', [JSON_TYPE], body)).status).toBe(200)
  })
})

describe('a limit that a query asks for', () => {
  it('counts also where the query cannot be read in one way', async () => {
    const body = '{"email":"c@example.test"}'
    const target = '/asked?grant_type=password&x=;'
    expect([(await post(target, [JSON_TYPE], body)).status, (await post(target, [JSON_TYPE], body)).status]).toEqual([200, 429])
  })
})
