// Where answers of ours send somebody (T61). Repeats CVE-2020-5233, CVE-2020-11053 and CVE-2021-21291 (oauth2-proxy), CVE-2022-28923 (Caddy) and
// CVE-2024-52003 (Traefik): a target from the request that the browser reads otherwise than the check. Postern has no target to take from a request:
// the one redirect it writes is that of its admin page, to paths that stand in the code. So this says that nothing makes it otherwise.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Checking, everyAnswer, startChecking } from '../support/checking-postern.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { rawRequest } from '../support/raw-client.ts'
import { type RunningPostern, startPostern } from '../support/running-postern.ts'
import { bytesOf } from './target.ts'

const HOSTS = ['evil.test', 'evil.test:443', 'api.test@evil.test', 'api.test.evil.test', '[::ffff:198.51.100.7]', '3325256711', 'evil\u3002test']
const FORMS: readonly ((host: string) => string)[] = [
  (host) => `https://${host}/`, (host) => `//${host}/`, (host) => `///${host}/`, (host) => `/\\${host}`, (host) => `\\\\${host}`, (host) => `/%09/${host}`, (host) => `/\t/${host}`, (host) => `/%5c${host}`, (host) => `/.//${host}`, (host) => `/..//${host}`,
  (host) => `https:${host}`, (host) => `https:/${host}`, (host) => `hTTps:\\${host}`, (host) => `javascript:location='//${host}'`, (host) => `data:text/html,//${host}`, (host) => `/x\r\nLocation: https://${host}/`, (host) => `%0d%0aLocation:%20https://${host}/`, (host) => ` //${host}`, (host) => `/login?next=//${host}`, (host) => `/;@${host}`, (host) => `@${host}`, (host) => `.${host}`,
]
const TARGETS = HOSTS.flatMap((host) => FORMS.map((form) => form(host)))
const PARAMETERS = ['rd', 'next', 'redirect_uri', 'return_to']
const ADMIN_TOKEN = 'admin-token-of-this-test'

let folder: string
let issuer: Issuer
let postern: RunningPostern
let checking: Checking
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-redirects-'))
  issuer = await startIssuer()
  const file = join(folder, 'postern.yaml')
  writeFileSync(file, `
version: 1
listen: "\${LISTEN}"
ops: "\${OPS_LISTEN}"
upstream: http://127.0.0.1:9
client_ip: { direct: true }
drain: { delay: 0 }
audit: "off"
admin: { listen: "\${ADMIN_LISTEN}", token: ${ADMIN_TOKEN} }
auth: [api_keys: { keys: [{ id: k, value: the-only-key-there-is }] }]
`)
  postern = await startPostern({ config: file })
  checking = await startChecking(everyAnswer(issuer))
}, 30_000)
afterAll(async () => {
  await Promise.all([postern?.stop(), checking?.close(), issuer?.close()])
  rmSync(folder, { recursive: true })
})

/** Answers to each target, in turns of connections: as it stands where it can stand in a head, else encoded. */
async function locations(port: number, requestOf: (target: string, encoded: string) => string): Promise<{ readonly statuses: ReadonlySet<number>; readonly locations: readonly string[] }> {
  const [statuses, found] = [new Set<number>(), new Array<string>()]
  for (const target of TARGETS) {
    const visible = [...target].map((letter) => (letter >= '!' && letter <= '~' ? letter : encodeURIComponent(letter))).join('')
    const [answer] = await rawRequest(port, requestOf(visible, encodeURIComponent(target)), { timeoutMs: 5_000, answers: 1 })
    statuses.add(answer?.status ?? 0)
    found.push(...(answer?.headers ?? []).filter(([name]) => name.toLowerCase() === 'location' || name.toLowerCase() === 'refresh').map(([, value]) => value))
  }
  return { statuses, locations: found }
}

const BROWSER = ['Accept: text/html', 'Sec-Fetch-Mode: navigate', 'Connection: close']

describe('a refusal of the proxy', () => {
  it.each(PARAMETERS)('sends nobody to what ?%s= asks for', async (parameter) => {
    const { statuses, locations: found } = await locations(postern.port, (_target, encoded) => bytesOf(`GET /x?${parameter}=${encoded}`, BROWSER))
    expect([[...statuses], found]).toEqual([[401], []])
  })

  it('sends nobody to the path that was asked for', async () => {
    expect((await locations(postern.port, (target) => bytesOf(`GET ${target.startsWith('/') ? target : `/${target}`}`, BROWSER))).locations).toEqual([])
  })
})

describe('a refused check', () => {
  it('sends nobody to what a forwarded path, or a header of another product, asks for', async () => {
    const forwarded = (uri: string): string[] => ['X-Forwarded-For: 203.0.113.7', 'X-Forwarded-Host: api.example', 'X-Forwarded-Proto: https', 'X-Forwarded-Method: GET', `X-Forwarded-Uri: ${uri}`]
    for (const more of [(target: string) => [...forwarded(`/admin/x?rd=${target}`)], (target: string) => [...forwarded('/admin/x'), `X-Auth-Request-Redirect: ${target}`, `Referer: ${target}`]]) {
      const { statuses, locations: found } = await locations(checking.port, (target) => bytesOf('GET /_postern/forward', [...more(target), ...BROWSER]))
      expect(found).toEqual([])
      expect([...statuses].filter((status) => status < 400)).toEqual([])
    }
  })
})

describe('the admin page', () => {
  it('sends to paths of its own, whatever is asked for', async () => {
    const port = Number(new URL(postern.adminUrl).port)
    const login = `token=${ADMIN_TOKEN}`
    const asked: readonly ((target: string, encoded: string) => string)[] = [
      (_target, encoded) => bytesOf(`GET /?next=${encoded}`, [`Host: 127.0.0.1:${port}`, ...BROWSER]),
      (target) => bytesOf(`GET ${target.startsWith('/') ? target : `/${target}`}`, [`Host: 127.0.0.1:${port}`, ...BROWSER]),
      (_target, encoded) => bytesOf(`POST /login?next=${encoded}`, [`Host: 127.0.0.1:${port}`, `Origin: ${postern.adminUrl}`, 'Content-Type: application/x-www-form-urlencoded', `Content-Length: ${login.length + encoded.length + 6}`, ...BROWSER], `${login}&next=${encoded}`),
    ]
    const seen = new Set<string>()
    for (const requestOf of asked) for (const location of (await locations(port, requestOf)).locations) seen.add(location)
    expect([...seen].toSorted()).toEqual(['/', '/login'])
  })
})
