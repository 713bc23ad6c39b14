import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { chart } from '../bench/chart.ts'
import { growthOf } from '../bench/growth/dimension.ts'
import { getRequest, run } from '../bench/load.ts'
import { runPaced } from '../bench/paced.ts'
import { ratiosOf } from '../bench/ratios.ts'
import type { BenchResult } from '../bench/table.ts'
import { insistOnRefusals, showing, type Target } from '../bench/target.ts'

const row = (name: string, kind: Target['kind'], cpuUs: number): BenchResult['rows'][number] => ({ name, what: '', kind, cpuUs, rps: 1, p50Ms: 1, p99Ms: 1, rssMiB: 1 })

const result = (rows: BenchResult['rows']): BenchResult => ({ at: '2026-01-02T03:04:05.000Z', command: 'x', machine: { cpu: 'Tom & <Jerry>', cores: 2, memoryGiB: 4, node: 'v26', loadAverage: 0 }, versions: [], decideUs: 1, rows, ratios: {}, failed: [] })

describe('the chart', () => {
  it('draws every row once, as long as it costs, and the cheapest first', () => {
    const svg = chart(result([row('dear', 'guarded', 200), row('cheap', 'guarded', 50), row('bare', 'bare', 100)]))
    const widths = [...svg.matchAll(/<rect class="\w+" x="280" y="\d+" width="([\d.]+)"/g)].map((match) => Number(match[1]))
    expect(widths).toHaveLength(3)
    expect(widths[1]).toBeCloseTo((widths[0] ?? 0) * 4, 0)
    expect(widths[2]).toBeCloseTo((widths[0] ?? 0) * 2, 0)
    expect([...svg.matchAll(/text-anchor="end">(\w+)</g)].map((match) => match[1])).toEqual(['cheap', 'dear', 'bare'])
  })

  it('writes no text as markup, and has colours for light and dark pages', () => {
    const svg = chart(result([row('a<b>&"c"', 'bare', 1)]))
    expect(svg).toContain('a&lt;b&gt;&amp;&quot;c&quot;')
    expect(svg).toContain('Tom &amp; &lt;Jerry&gt;')
    expect(svg).toContain('prefers-color-scheme: dark')
  })
})

describe('the ratios', () => {
  it('compare with the cheapest peer that verifies by itself, and never with what was not measured', () => {
    const rows = [row('postern jwt', 'guarded', 60), row('nginx auth_request, Postern', 'guarded', 30), row('one', 'guarded', 120), row('other', 'guarded', 80), row('nginx proxy_pass', 'bare', 20)]
    expect(ratiosOf(rows)).toEqual({ 'postern jwt / nginx': '3.00', 'postern jwt / other': '0.75' })
  })
})

describe('growth', () => {
  const verdict = async (cost: (size: number) => number): Promise<string> => (await growthOf({ name: 'x', unit: 'y', sizes: [10, 100_000], prepare: (size) => ({ cost: () => cost(size) }) }, 1)).verdict

  it('tells what stays from what goes with the logarithm and from what goes with the size', async () => {
    expect(await verdict(() => 7)).toBe('flat')
    expect(await verdict((size) => Math.log2(size))).toBe('logarithmic')
    expect(await verdict((size) => 5 + size / 1_000)).toBe('grows')
  })
})

describe('the load', () => {
  let server: Server
  let requests = 0
  const listen = async (status: number): Promise<number> => {
    requests = 0
    server = createServer((_request, response) => {
      requests += 1
      response.writeHead(status, { 'content-length': 2 }).end('ok')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  const load = (port: number) => ({ port, bytes: () => getRequest('/', []), requests: 300, connections: 8, status: 200 })

  it('sends as many requests as it was told, at once and at a steady pace', async () => {
    const port = await listen(200)
    expect((await run(load(port))).latencies).toHaveLength(300)
    expect(requests).toBe(300)
    const began = performance.now()
    expect(await runPaced(load(port), 2_000)).toHaveLength(300)
    expect(performance.now() - began).toBeGreaterThan(145)
    expect(requests).toBe(600)
  })

  it('ends at an answer with another status', async () => {
    const port = await listen(503)
    await expect(run(load(port))).rejects.toThrow('503')
    await expect(runPaced(load(port), 2_000)).rejects.toThrow('503')
  })

  it('measures nobody that lets in nobody or a forger', async () => {
    const target: Target = { name: 'x', what: '', warms: false, start: () => Promise.reject(new Error('not started')), ...showing('e30.e30.abcdefghijklmnop') }
    await expect(insistOnRefusals(target, await listen(200))).rejects.toThrow('200 to nobody')
    server.close()
    await expect(insistOnRefusals(target, await listen(401))).resolves.toBeUndefined()
    expect(requests).toBe(2)
  })
})
