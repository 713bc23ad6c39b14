import { readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { missing } from '../support/callers/process.ts'
import { startEchoUpstream } from '../support/echo-upstream.ts'
import { startIssuer } from '../support/issuer.ts'
import { freePort, startPostern } from '../support/running-postern.ts'

interface Dashboard { readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[] }

const dashboard = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'deploy', 'prometheus', 'dashboard.json'), 'utf8')) as Dashboard

/** A config in which everything happens that a panel shows. */
const CONFIG = (issuer: string, upstream: number): string => `
version: 1
listen: \${LISTEN}
ops: \${OPS_LISTEN}
upstream: http://127.0.0.1:${upstream}
auth: [{ jwt: { issuer: "${issuer}", jwks_url: "${issuer}/jwks", audience: api } }]
rate_limit: [{ name: default, key: principal, limit: 100/minute }]
client_ip: { direct: true }
drain: { delay: 0 }
`

it.skipIf(missing('prometheus'))('every expression of the dashboard has an answer in a live Prometheus after a few requests', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-dashboard-'))
  const [issuer, upstream, port] = [await startIssuer(), await startEchoUpstream(), await freePort()]
  writeFileSync(join(folder, 'postern.yaml'), CONFIG(issuer.jwksUrl.replace(/\/[^/]*$/, ''), upstream.port).replace(/jwks_url: "[^"]*"/, `jwks_url: "${issuer.jwksUrl}"`))
  const postern = await startPostern({ config: join(folder, 'postern.yaml') })
  writeFileSync(join(folder, 'prometheus.yml'), `global: { scrape_interval: 250ms }\nscrape_configs: [{ job_name: postern, static_configs: [{ targets: ["${new URL(postern.opsUrl).host}"] }] }]\n`)
  const prometheus = spawn('prometheus', [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=error'], { stdio: 'ignore' })
  try {
    const token = await issuer.mint()
    const ask = async (headers: Record<string, string>): Promise<void> => void (await fetch(`${postern.url}/x`, { headers }).then((answer) => answer.text()))
    const values = async (expr: string): Promise<number> => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?${new URLSearchParams({ query: expr.replaceAll('$__rate_interval', '10s') }).toString()}`).catch(() => undefined)
      // While it starts it is unavailable.
      if (!answer || answer.status === 503) return 0
      const body = (await answer.json()) as { status: string; data?: { result: unknown[] } }
      expect([expr, answer.status, body.status]).toEqual([expr, 200, 'success'])
      return body.data?.result.length ?? 0
    }
    const open = new Set(dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)))
    for (const deadline = Date.now() + 20_000; open.size > 0 && Date.now() < deadline; await wait(300)) {
      await ask({ authorization: `Bearer ${token}`, 'x-user-id': 'mallory' })
      await ask({})
      for (const expr of open) if ((await values(expr)) > 0) open.delete(expr)
    }
    expect([...open]).toEqual([])
  } finally {
    const ended = new Promise((resolve) => prometheus.once('exit', resolve))
    prometheus.kill('SIGTERM')
    await ended
    await postern.stop()
    await Promise.all([upstream.close(), issuer.close()])
    rmSync(folder, { recursive: true, force: true })
  }
}, 60_000)
