// Doors that are open for machines (T66, T57). Repeats CVE-2026-34457 (oauth2-proxy, User-Agent of a health check), CVE-2025-24030 (Envoy
// Gateway), CVE-2022-46146 (exporter-toolkit) and CVE-2026-44774 (Traefik): nothing on the data port is exempt, and it has no metrics.
import { describe, expect, it } from 'vitest'
import { bytesOf, startTarget } from './target.ts'

const { attack } = await startTarget({ config: { routes: [{ match: { path: '/**' }, auth: ['token', 'key'] }] } })

const AGENTS = ['kube-probe/1.30', 'GoogleHC/1.0', 'ELB-HealthChecker/2.0', 'Prometheus/2.53.0', 'Amazon-Route53-Health-Check-Service', 'Consul Health Check', 'Mozilla/5.0 (compatible; UptimeRobot/2.0)', 'curl/8.0', 'Envoy/HC', 'HAProxy', 'nginx-health', 'Googlebot/2.1', '', 'postern', 'postern healthcheck']
const PATHS = ['/metrics', '/livez', '/readyz', '/readyz?verbose', '/startupz', '/healthz', '/health', '/ping', '/-/healthy', '/ready', '/_postern', '/_postern/forward', '/admin', '/admin/keys', '/keys', '/debug/pprof', '/debug/vars', '/server-status', '/stats', '/actuator/health', '/actuator/env', '/.well-known/oauth-protected-resource', '/.well-known/jwks.json', '/config', '/reload', '/oauth2/auth', '/oauth2/userinfo', '/ping?healthcheck', '/favicon.ico', '/robots.txt']

describe('a caller who says that it is a machine', () => {
  it.each(AGENTS)('%j is 401 like anybody', async (agent) => {
    for (const path of ['/', '/healthz', '/anything']) {
      for (const method of ['GET', 'HEAD']) expect((await attack(bytesOf(`${method} ${path}`, [`User-Agent: ${agent}`, 'X-Health-Check: 1', 'X-Probe: true', 'Connection: close']))).statuses).toEqual([401])
    }
  })
})

describe('a path that is somebody\'s back door', () => {
  it.each(PATHS)('%s is a path like any other: 401, and says nothing of this process', async (path) => {
    for (const host of ['api.test', 'localhost:9090', '127.0.0.1:9090', 'localhost', '127.0.0.1']) {
      const { statuses, answers } = await attack(bytesOf(`GET ${path}`, [`Host: ${host}`, 'X-Forwarded-For: 127.0.0.1', 'X-Real-IP: 127.0.0.1', 'Connection: close']))
      expect(statuses).toEqual([401])
      expect(answers[0]!.body).not.toMatch(/postern_|# HELP|node_version|upstreams/)
    }
  })

  it.each(['//metrics', '/%6detrics', '/metrics/', '/METRICS', '/metrics;x', '/./metrics', '/metrics%00', '/readyz/../metrics', 'http://localhost:9090/metrics'])('%s is not the metrics either', async (target) => {
    const { statuses, answers } = await attack(bytesOf(`GET ${target}`, ['Connection: close']))
    expect([400, 401]).toContain(statuses[0])
    expect(answers[0]!.body).not.toContain('postern_')
  })
})
