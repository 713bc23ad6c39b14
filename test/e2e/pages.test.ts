import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { browserInstalled, startBrowser, type Browser } from '../support/browser.ts'
import { startIssuer, type Issuer } from '../support/issuer.ts'
import { startRecordingUpstream, type RecordingUpstream } from '../support/recording-upstream.ts'
import { startPostern, type RunningPostern } from '../support/running-postern.ts'

const ADMIN_TOKEN = 'admin-token-of-this-test'
const PEPPER = 'a pepper for this very test'
const CONFIG = `
version: 1
listen: \${LISTEN}
ops: \${OPS_LISTEN}
upstream: \${UPSTREAM_URL}
client_ip: { direct: true }
drain: { delay: 0, timeout: 1s }
admin: { listen: "\${ADMIN_LISTEN}", token: "\${ADMIN_TOKEN}", auth: pat }
rate_limit: [{ name: hourly, limit: 1000/hour }]
failed_authentication: { limit: 2/minute }
authenticators:
  pat: { type: api_key, in: [{ bearer: true }], prefix: [acme_live_], store: "\${KEY_STORE}", pepper: ${PEPPER} }
  web: { type: jwt, in: [{ bearer: true }, { cookie: session }], issuer: "\${ISSUER}", audience: api, jwks_url: "\${ISSUER}/jwks" }
self_service: { auth: web }
`
const EVIL = '<script>alert(1)</script><img src=x onerror=alert(2)>"\' onfocus=alert(3) autofocus'
/** Screenshots to be looked at, where somebody wants them. */
const SHOTS = process.env['POSTERN_SCREENSHOTS']

let folder: string
let issuer: Issuer
let upstream: RecordingUpstream
let postern: RunningPostern
let browser: Browser

describe.skipIf(!browserInstalled())('in a real browser', () => {
  beforeAll(async () => {
    browser = await startBrowser()
    issuer = await startIssuer()
  }, 60_000)
  afterAll(async () => {
    await browser.close()
    await issuer.close()
  })
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-e2e-pages-'))
    writeFileSync(join(folder, 'postern.yaml'), CONFIG)
    upstream = await startRecordingUpstream()
    postern = await startPostern({ config: join(folder, 'postern.yaml'), env: { UPSTREAM_URL: `http://127.0.0.1:${upstream.port}`, KEY_STORE: join(folder, 'keys.db'), ISSUER: issuer.url, ADMIN_TOKEN } })
  }, 60_000)
  afterEach(async () => {
    expect(browser.dialogs()).toEqual([])
    await postern.stop()
    await upstream.close()
    rmSync(folder, { recursive: true })
  })

  const statusOf = async (key: string): Promise<number> => (await fetch(`${postern.url}/x`, { headers: { authorization: `Bearer ${key}` } })).status
  const shot = async (name: string): Promise<void> => {
    if (SHOTS === undefined) return
    for (const dark of [false, true]) {
      await browser.dark(dark)
      await browser.screenshot(join(SHOTS, `${name}-${dark ? 'dark' : 'light'}.png`))
    }
    await browser.dark(false)
  }
  const fill = (values: Record<string, string>): Promise<unknown> => browser.evaluate(`for (const [name, value] of Object.entries(${JSON.stringify(values)})) document.querySelector('main form fieldset [name="' + name + '"]').value = value`)
  const text = async (): Promise<string> => String(await browser.evaluate('document.body.innerText'))
  const shownKey = async (): Promise<string> => String(await browser.evaluate("document.querySelector('input.key')?.value"))
  const logIn = async (): Promise<void> => {
    await browser.goto(`${postern.adminUrl}/`)
    await fill({ token: ADMIN_TOKEN })
    await browser.navigating("document.querySelector('main form').requestSubmit()")
  }

  it('an admin logs in, makes a key that works, rotates it while both work, and revokes both', async () => {
    await logIn()
    expect(await text()).toContain('Overview')
    expect(await browser.cookies()).toMatchObject([{ name: 'postern_admin', httpOnly: true, sameSite: 'Strict' }])
    await shot('overview')
    await browser.goto(`${postern.adminUrl}/keys`)
    await fill({ owner: 'user_1', name: EVIL, notes: EVIL })
    await browser.navigating("document.querySelector('main form[action=\"/keys\"]').requestSubmit()")
    const first = await shownKey()
    expect(await statusOf(first)).toBe(200)
    await shot('key-made')
    expect(await text()).toContain(EVIL.slice(0, 25))
    await browser.navigating("document.querySelector('form[action$=\"/rotate\"]').requestSubmit()")
    const second = await shownKey()
    expect(second).not.toBe(first)
    expect([await statusOf(first), await statusOf(second)]).toEqual([200, 200])
    for (let left = 2; left > 0; left -= 1) await browser.navigating("document.querySelector('form[action$=\"/revoke\"]').requestSubmit()")
    await wait(1_000)
    expect([await statusOf(first), await statusOf(second)]).toEqual([401, 401])
    await browser.goto(`${postern.adminUrl}/keys`)
    const source = String(await browser.evaluate('document.documentElement.outerHTML'))
    for (const secret of [first, second, ADMIN_TOKEN, PEPPER]) expect(source).not.toContain(secret)
    await browser.goto(`${postern.adminUrl}/audit`)
    expect(await text()).toContain('key_revoked')
  }, 60_000)

  it('every page can be read without scripts, and the config without its secrets', async () => {
    await logIn()
    await statusOf('acme_live_nothing')
    await browser.scripts(false)
    try {
      for (const [path, words] of [['/', 'Node'], ['/try', 'Bearer token'], ['/keys', 'New key'], ['/decisions', '/x'], ['/limits', 'hourly'], ['/config', 'authenticators'], ['/audit', 'Acts']] as const) {
        await browser.goto(`${postern.adminUrl}${path}`)
        await browser.scripts(true)
        expect(await text(), path).toContain(words)
        const source = String(await browser.evaluate('document.documentElement.outerHTML'))
        for (const secret of [PEPPER, ADMIN_TOKEN]) expect(source, path).not.toContain(secret)
        await shot(path === '/' ? 'home' : path.slice(1))
        await browser.scripts(false)
      }
    } finally {
      await browser.scripts(true)
    }
  }, 60_000)

  it('a request is tried and its trace says why', async () => {
    await logIn()
    await browser.goto(`${postern.adminUrl}/try`)
    await fill({ path: '/x', token: 'acme_live_wrong' })
    await browser.navigating("document.querySelector('main form').requestSubmit()")
    expect(await text()).toMatch(/key_malformed/)
    expect(upstream.requests).toHaveLength(0)
    await shot('trace')
  }, 60_000)

  it('who is over a limit is shown, and let in again by a click', async () => {
    const stranger = (): Promise<number> => statusOf('acme_live_wrong')
    expect([await stranger(), await stranger(), await stranger()]).toEqual([401, 401, 429])
    await logIn()
    await browser.goto(`${postern.adminUrl}/limits`)
    expect(await text()).toMatch(/client_ip:127\.0\.0\.1\s+failed_authentication\s+over\s+0 of 2\s+\d+ (?:s|min)/)
    await shot('limits-live')
    await browser.navigating("document.querySelector('main form[action=\"/limits/reset\"]').requestSubmit()")
    expect(await text()).toMatch(/1 counter of client_ip:127\.0\.0\.1 forgotten/)
    expect(await text()).toContain('Nobody is near a limit.')
    expect(await stranger()).toBe(401)
    await expect.poll(() => postern.audit().find((record) => record['event.action'] === 'limits_reset')).toMatchObject({ 'postern.actor': 'admin', 'postern.target': 'client_ip:127.0.0.1' })
    await browser.navigating("(document.querySelector('main form[method=get] input').value = 'nonsense', document.querySelector('main form[method=get]').requestSubmit())")
    expect(await text()).toMatch(/names no partition/)
  }, 60_000)

  it('the config is shown with where its values come from, and without secrets', async () => {
    await logIn()
    await browser.goto(`${postern.adminUrl}/config`)
    const shown = await text()
    expect(shown).toMatch(new RegExp(`upstreams\\.default\\.url\\s+http://127\\.0\\.0\\.1:${upstream.port}\\s+\\S*postern\\.yaml:5, \\$\\{UPSTREAM_URL\\}`))
    expect(shown).toMatch(/authenticators\.web\.audience\[0\]\s+api\s+\S*postern\.yaml:\d+$/m)
    expect(shown).toMatch(/authenticators\.pat\.pepper\s+\(hidden\)/)
    expect(shown).toMatch(/drain\.timeout\s+1000/)
    expect(shown).toMatch(/log\.level\s+info\s+default/)
    for (const secret of [ADMIN_TOKEN, PEPPER]) expect(shown).not.toContain(secret)
    await shot('config')
  }, 60_000)

  it('somebody else than the holder of the token logs in with a key of theirs, looks and changes nothing, and is out when it is revoked', async () => {
    const admin = (path: string, method: string, body?: unknown) => fetch(`${postern.adminUrl}${path}`, { method, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    const { key, id } = (await (await admin('/v1/keys', 'POST', { owner: 'rita', scopes: ['postern:read'] })).json()) as { key: string; id: string }
    await browser.goto(`${postern.adminUrl}/login`)
    await shot('login')
    await fill({ token: key })
    await browser.navigating("document.querySelector('main form').requestSubmit()")
    await browser.goto(`${postern.adminUrl}/keys`)
    expect(await text()).toMatch(/pat:rita \(read only\)/)
    expect(await text()).not.toMatch(/Create key|Revoke/)
    await shot('keys-read-only')
    await browser.goto(`${postern.adminUrl}/try`)
    expect(await text()).toContain('takes more than looking')
    expect((await admin(`/v1/keys/${id}`, 'DELETE')).status).toBe(204)
    await wait(1_000)
    await browser.goto(`${postern.adminUrl}/keys`)
    expect(await browser.evaluate('location.pathname')).toBe('/login')
  }, 60_000)

  it('everything can be reached by keyboard', async () => {
    await logIn()
    const wanted = ['Overview', 'Keys', 'Config', 'Audit', 'Log out']
    const seen: unknown[] = []
    // A browser that has just drawn the page may not take the first presses.
    for (let presses = 0; presses < 20 && !wanted.every((each) => seen.includes(each)); presses += 1) {
      await browser.press('Tab')
      seen.push(await browser.evaluate('document.activeElement.textContent'))
    }
    expect(seen).toEqual(expect.arrayContaining(wanted))
  }, 60_000)

  it('people see only their own tokens, make one that works, and revoke it', async () => {
    const admin = (body: unknown) => fetch(`${postern.adminUrl}/v1/keys`, { method: 'POST', headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }, body: JSON.stringify(body) })
    await admin({ owner: 'bob', name: 'bobs-secret-project' })
    await browser.goto(`${postern.url}/nothing`)
    await browser.evaluate(`document.cookie = ${JSON.stringify(`session=${await issuer.mint()}; path=/`)}`)
    await browser.goto(`${postern.url}/account/tokens`)
    expect(await text()).not.toContain('bobs-secret-project')
    await fill({ name: EVIL })
    await browser.navigating("document.querySelector('main form fieldset').form.requestSubmit()")
    const key = await shownKey()
    expect(await statusOf(key)).toBe(200)
    await shot('account')
    await browser.navigating("document.querySelector('form[action$=\"/revoke\"]').requestSubmit()")
    await wait(1_000)
    expect(await statusOf(key)).toBe(401)
    expect(await text()).not.toContain('bobs-secret-project')
  }, 60_000)
})

describe('the admin page', () => {
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-e2e-pages-'))
    writeFileSync(join(folder, 'postern.yaml'), CONFIG)
    postern = await startPostern({ config: join(folder, 'postern.yaml'), env: { UPSTREAM_URL: 'http://127.0.0.1:1', KEY_STORE: join(folder, 'keys.db'), ISSUER: 'http://127.0.0.1:1', ADMIN_TOKEN } })
  }, 60_000)
  afterEach(async () => {
    await postern.stop()
    rmSync(folder, { recursive: true })
  })

  const post = (path: string, body: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${postern.adminUrl}${path}`, { method: 'POST', redirect: 'manual', headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers }, body })
  const cookieOf = async (): Promise<string> => (await post('/login', `token=${ADMIN_TOKEN}`)).headers.getSetCookie()[0]!.split(';')[0]!

  it('sends who is not logged in to the log-in, whatever they ask for', async () => {
    for (const path of ['/', '/keys', '/config', '/audit', '/try', '/decisions', '/limits']) {
      const answer = await fetch(`${postern.adminUrl}${path}`, { redirect: 'manual' })
      expect([answer.status, answer.headers.get('location')]).toEqual([303, '/login'])
    }
    expect((await post('/keys', 'owner=x')).headers.get('location')).toBe('/login')
  })

  it('does nothing for a form without the secret of its session', async () => {
    const cookie = await cookieOf()
    for (const csrf of ['', 'csrf=&', 'csrf=wrong&']) expect((await post('/keys', `${csrf}owner=x`, { cookie })).status).toBe(403)
    expect(await (await fetch(`${postern.adminUrl}/keys`, { headers: { cookie } })).text()).not.toContain('key_')
  })

  it('takes no form of another origin, and a session is no token for the API', async () => {
    const cookie = await cookieOf()
    expect((await post('/keys', 'owner=x', { cookie, origin: 'https://evil.example' })).status).toBe(403)
    expect((await fetch(`${postern.adminUrl}/v1/keys`, { headers: { cookie } })).status).toBe(401)
  })

  it('counts wrong tokens, and forgets a session that was logged out', async () => {
    const cookie = await cookieOf()
    const page = await (await fetch(`${postern.adminUrl}/`, { headers: { cookie } })).text()
    await post('/logout', `csrf=${/name="csrf" value="([^"]+)"/.exec(page)![1]}`, { cookie })
    expect((await fetch(`${postern.adminUrl}/`, { headers: { cookie }, redirect: 'manual' })).status).toBe(303)
    for (let n = 0; n < 10; n += 1) expect((await post('/login', 'token=wrong')).status).toBe(401)
    expect(await (await post('/login', `token=${ADMIN_TOKEN}`)).text()).toContain('Too many')
  })
})
