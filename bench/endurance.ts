import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { drainUnderLoad, type DrainCounts } from './endurance-drain.ts'
import { bareNodeRss, startPostern, watchPeak, type PosternPlace, type RunningPostern } from './endurance-postern.ts'
import { startUpstream } from './endurance-upstream.ts'
import { getRequest, run } from './load.ts'
import { cpuMs } from './processes.ts'
import { issue } from './tokens.ts'
import { download, upload } from './transfer.ts'

/** `npm run bench:endurance [-- --only idle,transfer,sockets,load,drain]`: memory, start, streams, tunnels and the end of a built Postern. */

const MIB = 2 ** 20
const TRANSFER = 1024 * MIB
const STARTS = 5
const TUNNELS = 2_000
const TOKENS = 10_000
const HELD_MS = 10_000

const onlyAt = process.argv.indexOf('--only')
const wanted = (part: string): boolean => onlyAt === -1 || (process.argv[onlyAt + 1] ?? '').split(',').includes(part)
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

interface Line { readonly what: string; readonly measured: string; readonly line: string; readonly met: boolean }
const lines: Line[] = []
const details: Record<string, unknown> = {}
const add = (what: string, measured: string, line: string, met: boolean): void => void lines.push({ what, measured, line, met })

async function idle(place: PosternPlace): Promise<void> {
  const [ready, memory, bare]: [number[], number[], number[]] = [[], [], []]
  for (let count = 0; count < STARTS; count += 1) {
    const postern = await startPostern(place)
    ready.push(postern.readyMs)
    await wait(3_000)
    memory.push(postern.rss())
    await postern.stop()
    bare.push(await bareNodeRss())
  }
  details['idle'] = { readyMs: ready, rssMiB: memory, bareNodeMiB: bare }
  add('idle RSS', `${median(memory).toFixed(1)} MiB, ${median(bare).toFixed(1)} of it a bare Node with an empty node:http server`, '85 MiB', Math.max(...memory) <= 85)
  add('ready', `${median(ready).toFixed(0)} ms (worst of ${STARTS}: ${Math.max(...ready).toFixed(0)})`, '400 ms, median', median(ready) <= 400)
}

/** Each in a process of its own, right after its start: nothing that was held before hides what the transfer needs. */
async function transfer(place: PosternPlace, token: string): Promise<void> {
  for (const [what, move] of [['upload', upload], ['download', download]] as const) {
    const postern = await startPostern(place)
    try {
      await wait(2_000)
      const before = postern.rss()
      const peak = watchPeak(postern)
      const began = performance.now()
      const bytes = await move(postern.port, token, TRANSFER)
      const seconds = (performance.now() - began) / 1000
      const grew = peak() - before
      details[what] = { beforeMiB: before, peakMiB: before + grew, seconds, bytes }
      add(`1 GiB ${what}`, `RSS ${before.toFixed(1)} MiB before, at most +${grew.toFixed(1)} while it ran (${seconds.toFixed(1)} s)`, '+40 MB', bytes === TRANSFER && grew * MIB <= 40e6)
    } finally {
      await postern.stop()
    }
  }
}

/** A client's end of a tunnel; rejects unless the upgrade is agreed on. */
function openTunnel(port: number, token: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(`GET /socket HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer ${token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`))
    socket.once('data', (head: Buffer) => (head.toString('latin1').startsWith('HTTP/1.1 101 ') ? resolve(socket) : reject(new Error(head.toString('latin1', 0, 200)))))
    socket.on('error', reject)
  })
}

/** Sends one masked text frame through the tunnel and waits for the one that comes back. */
const answers = (socket: Socket): Promise<boolean> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), 5_000)
    socket.once('data', (frame: Buffer) => {
      clearTimeout(timer)
      resolve(frame[0] === 0x81)
    })
    socket.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78]))
  })

async function sockets(place: PosternPlace, token: string): Promise<void> {
  const postern = await startPostern(place)
  const tunnels: Socket[] = []
  try {
    await wait(1_000)
    const before = postern.rss()
    while (tunnels.length < TUNNELS) tunnels.push(...(await Promise.all(Array.from({ length: 50 }, () => openTunnel(postern.port, token)))))
    await wait(HELD_MS)
    const held = tunnels.filter(({ destroyed, readableEnded }) => !destroyed && !readableEnded).length
    const rss = postern.rss()
    const answered = (await Promise.all(tunnels.map(answers))).filter(Boolean).length
    details['sockets'] = { held, answered, beforeMiB: before, rssMiB: rss }
    add(`${TUNNELS} idle WebSockets`, `${held} held for ${HELD_MS / 1000} s, ${answered} still carry frames; RSS ${before.toFixed(0)} → ${rss.toFixed(0)} MiB (${(((rss - before) * 1024) / TUNNELS).toFixed(0)} KiB each)`, `${TUNNELS}`, held === TUNNELS && answered === TUNNELS)
  } finally {
    for (const socket of tunnels) socket.destroy()
    await postern.stop()
  }
}

const lost = ({ lostAfterUpstream, lostOnNewConnection, otherStatus }: DrainCounts): number => lostAfterUpstream + lostOnNewConnection + Object.values(otherStatus).reduce((sum, count) => sum + count, 0)

async function drain(place: PosternPlace, token: string, upstream: Awaited<ReturnType<typeof startUpstream>>): Promise<void> {
  for (const [name, delay, rounds] of [['no delay', '0s', 8], ['default delay', '5s', 2]] as const) {
    const all: DrainCounts[] = []
    for (let round = 0; round < rounds; round += 1) {
      const postern: RunningPostern = await startPostern({ ...place, more: `drain: {delay: ${delay}}\n` })
      all.push(await drainUnderLoad(postern, { token, upstream, clients: 64 }))
    }
    details[`drain, ${name}`] = all
    const sum = (pick: (counts: DrainCounts) => number): number => all.reduce((total, counts) => total + pick(counts), 0)
    add(`SIGTERM under load, ${name}, ${rounds} times`, `${sum((c) => c.answered)} answered, ${sum(lost)} lost (${sum((c) => c.lostAfterUpstream)} at work, ${sum((c) => c.lostOnNewConnection)} on new connections), ${sum((c) => c.lostOnReused)} crossed the close of an idle connection, ended after ${Math.max(...all.map(({ endedMs }) => endedMs)).toFixed(0)} ms`, '0 lost', sum(lost) === 0 && all.every(({ exitCode }) => exitCode === 0))
  }
}

/** As many tokens as its cache remembers by default, each shown again and again on connections that show all of them. */
async function load(place: PosternPlace, mint: () => string): Promise<void> {
  const postern = await startPostern(place)
  try {
    const requests = Array.from({ length: TOKENS }, () => getRequest('/x', [`Authorization: Bearer ${mint()}`]))
    const peak = watchPeak(postern)
    const shown = { port: postern.port, bytes: (n: number) => requests[n % TOKENS] ?? Buffer.alloc(0), connections: 32, status: 200 }
    await run({ ...shown, requests: TOKENS })
    const before = cpuMs(postern.child.pid ?? 0)
    await run({ ...shown, requests: TOKENS * 5 })
    const perRequest = ((cpuMs(postern.child.pid ?? 0) - before) * 1000) / (TOKENS * 5)
    details['load'] = { cpuUs: perRequest, rssMiB: postern.rss(), peakMiB: peak() }
    add(`${TOKENS} tokens, each shown 6 times`, `RSS ${postern.rss().toFixed(1)} MiB, at most ${peak().toFixed(1)}; ${perRequest.toFixed(1)} µs of CPU per request`, '150 MiB', peak() <= 150)
  } finally {
    await postern.stop()
  }
}

const directory = mkdtempSync(join(tmpdir(), 'postern-endurance-'))
const upstream = await startUpstream()
const { token, jwks, mint } = issue(directory)
const place: PosternPlace = { directory, upstreamPort: upstream.port, jwks }
try {
  if (wanted('idle')) await idle(place)
  if (wanted('transfer')) await transfer(place, token)
  if (wanted('sockets')) await sockets(place, token)
  if (wanted('load')) await load(place, mint)
  if (wanted('drain')) await drain(place, token, upstream)
} finally {
  upstream.close()
  rmSync(directory, { recursive: true, force: true })
}

process.stdout.write(`| what | measured | line | |\n|---|---|---|---|\n${lines.map(({ what, measured, line, met }) => `| ${what} | ${measured} | ${line} | ${met ? 'met' : 'MISSED'} |\n`).join('')}`)
if (onlyAt === -1) {
  mkdirSync(join(import.meta.dirname, 'results'), { recursive: true })
  const result = { at: new Date().toISOString(), command: 'npm run bench:endurance', machine: { cpu: cpus()[0]?.model.trim(), cores: cpus().length, node: process.version }, lines, details }
  writeFileSync(join(import.meta.dirname, 'results', 'endurance.json'), `${JSON.stringify(result, undefined, 2)}\n`)
}
process.exit(lines.every(({ met }) => met) ? 0 : 1)
