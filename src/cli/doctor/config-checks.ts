import { readFileSync } from 'node:fs'
import { createCidrSet } from '../../base/cidr.ts'
import type { LoadedConfig } from '../../config/load.ts'
import type { Config } from '../../config/schema.ts'
import { FLOOR_TEXT, isBelowFloor } from '../node-safety.ts'
import { type Diagnosis, ok, problem, warning } from './diagnosis.ts'

export function nodeCheck(version: string): Diagnosis {
  return isBelowFloor(version) ? warning('node', `Node ${version} lacks security fixes`, `Use ${FLOOR_TEXT} or newer`) : ok('node', version)
}

/** What Kubernetes and `docker stop` grant unless they are told otherwise, seconds. */
const USUAL_GRACE = 30

/** Whether a drain ends before somebody loses patience. The grace period is known only when a variable says it. */
export function drainCheck({ drain }: Config, env: NodeJS.ProcessEnv): Diagnosis {
  const seconds = Math.ceil((drain.delay + drain.timeout) / 1_000)
  const told = Number(env['POSTERN_GRACE_PERIOD_SECONDS'])
  const grace = Number.isFinite(told) && told > 0 ? told : USUAL_GRACE
  const text = `${drain.delay / 1_000} s + ${drain.timeout / 1_000} s = ${seconds} s of ${grace === told ? '' : 'the usual '}${grace} s grace period`
  return seconds < grace ? ok('drain', text) : problem('drain', text, `Set terminationGracePeriodSeconds (or stop_grace_period, TimeoutStopSec) to more than ${seconds}, or shorten drain.delay and drain.timeout`)
}

/** Networks larger than this are nobody's proxies. */
const WIDEST = { ipv4: 8, ipv6: 32 } as const

export function trustCheck({ client_ip }: Config): Diagnosis {
  const { trusted_proxies: entries, direct } = client_ip
  if (entries.length === 0) {
    return direct ? ok('trusted proxies', 'none; clients connect directly') : warning('trusted proxies', 'none: behind a balancer every caller has the address of the balancer', 'Name its networks in client_ip.trusted_proxies, or say client_ip.direct: true')
  }
  const wide = entries.filter((entry) => entry !== 'unix' && Number(entry.split('/')[1] ?? 128) < (entry.includes(':') ? WIDEST.ipv6 : WIDEST.ipv4))
  if (wide.length > 0) return problem('trusted proxies', `${wide.join(', ')} holds far more than proxies: whoever is in it chooses its own address`, 'Name the networks of the proxies alone')
  const loopback = createCidrSet(entries.filter((entry) => entry !== 'unix')).contains('127.0.0.1')
  return ok('trusted proxies', `${entries.join(', ')}${loopback ? ' (loopback: every program on this machine may name a client)' : ''}`)
}

/** Mount points of this process (proc(5), mountinfo: the fifth field, with octal escapes). */
export const mountPoints = (mountinfo: string): readonly string[] =>
  mountinfo.split('\n').flatMap((line) => line.split(' ')[4] ?? []).map((path) => path.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))

function ownMounts(): readonly string[] {
  try {
    return mountPoints(readFileSync('/proc/self/mountinfo', 'utf8'))
  } catch {
    return []
  }
}

/** A file that is itself a mount point is a subPath mount, or a single file of a container: what replaces it is never seen. */
export function mountCheck({ watched }: Pick<LoadedConfig, 'watched'>, mounts: readonly string[] = ownMounts()): readonly Diagnosis[] {
  const fixed = watched.filter((file) => mounts.includes(file))
  if (fixed.length === 0) return [ok('files', `${watched.length} watched, none of them a mount point`)]
  return fixed.map((file) => warning('files', `${file} is mounted alone (subPath): it will never change here, so no secret in it rotates`, 'Mount the directory that holds it'))
}
