import { generateKeyPair, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

/** What `dev` leaves behind for `token`, and for its own next start: the key stays, so that tokens survive a restart. */
export interface DevState {
  /** Private ES256 key, as a JWK. It signs for the dev instance of this checkout and for nothing else. */
  readonly key: DevKey
  readonly issuer: string
  readonly audience: string
  readonly apiKey: string
  readonly pid: number
  /** Of Postern, once it listens: `http://127.0.0.1:8080`. */
  readonly origin?: string
  /** Path of the config of that run; gone when it has ended. */
  readonly config?: string
}

export interface DevKey {
  readonly kty: 'EC'
  readonly crv: 'P-256'
  readonly x: string
  readonly y: string
  readonly d: string
  readonly kid: string
}

const FILE = 'dev.json'

/** Walks up from this file to the package it belongs to; the same for sources and bundle. */
function packageRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) || dirname(folder) === folder ? folder : packageRoot(dirname(folder))
}

/** `.postern` in a checkout, so that two checkouts do not mix; the user's state folder for an installed package. */
export function stateFolder(env: NodeJS.ProcessEnv): string {
  const given = env['POSTERN_STATE_DIR']
  if (given) return given
  const root = packageRoot(import.meta.dirname)
  if (existsSync(join(root, 'src', 'main.ts'))) return join(root, '.postern')
  return join(env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'postern')
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

function isKey(value: unknown): value is DevKey {
  if (!isRecord(value)) return false
  const { kty, crv, x, y, d, kid } = value
  return kty === 'EC' && crv === 'P-256' && [x, y, d, kid].every(isText)
}

function isState(value: unknown): value is DevState {
  if (!isRecord(value)) return false
  const { key, issuer, audience, apiKey, pid } = value
  return isKey(key) && [issuer, audience, apiKey].every(isText) && typeof pid === 'number' && [value['origin'], value['config']].every((each) => each === undefined || isText(each))
}

/** The state of the last dev run, or undefined when there was none (or its file is not one). */
export function readDevState(env: NodeJS.ProcessEnv): DevState | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(join(stateFolder(env), FILE), 'utf8'))
    return isState(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The folder, made when it is absent; only this user may look into it. */
export function makeStateFolder(env: NodeJS.ProcessEnv): string {
  const folder = stateFolder(env)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  return folder
}

/** Replaces the state in one step; only this user may read it. */
export function writeDevState(env: NodeJS.ProcessEnv, state: DevState): void {
  const folder = makeStateFolder(env)
  const next = join(folder, `${FILE}.${process.pid}`)
  writeFileSync(next, JSON.stringify(state), { mode: 0o600, flag: 'w' })
  renameSync(next, join(folder, FILE))
}

export function isRunning({ pid }: Pick<DevState, 'pid'>): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const ISSUER = 'https://dev.postern.localhost'

/** The dev instance of this checkout that runs now, if one does. */
export function runningDev(env: NodeJS.ProcessEnv): DevState | undefined {
  const state = readDevState(env)
  return state && state.pid !== process.pid && isRunning(state) ? state : undefined
}

/**
 * The key and names of this checkout, made on the first run; the API key is new on every run. Writes nothing: the state belongs to
 * the run before until this one listens.
 */
export async function prepareDevState(env: NodeJS.ProcessEnv): Promise<DevState> {
  const key = readDevState(env)?.key ?? (await newKey())
  return { key, issuer: ISSUER, audience: 'postern-dev', apiKey: `dev_${randomBytes(24).toString('base64url')}`, pid: process.pid }
}

async function newKey(): Promise<DevKey> {
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })
  const jwk: unknown = { ...privateKey.export({ format: 'jwk' }), kid: `dev-${randomBytes(6).toString('hex')}` }
  if (!isKey(jwk)) throw new Error('the generated key has no P-256 form')
  return jwk
}
