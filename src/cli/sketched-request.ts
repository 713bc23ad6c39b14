import { isIP } from 'node:net'
import type { Config } from '../config/schema.ts'
import { textOption, textOptions, type Invocation } from './command.ts'
import type { Terminal } from './terminal.ts'
import { UsageError } from './exit-codes.ts'
import type { IncomingLines } from '../wire/incoming.ts'

/** A request as the arguments of `explain` sketch it, in the form in which one arrives. */
export interface SketchedRequest {
  readonly message: IncomingLines
  readonly peer: string
  readonly encrypted: boolean
}

/** The part of a call of `explain` that says what is asked. */
export type Sketch = Pick<Invocation, 'positionals' | 'options'> & { readonly terminal: Pick<Terminal, 'readInput'> }

const METHOD = /^[A-Za-z]+$/

/** Reads `-` from standard input, once. */
async function secretOf(invocation: Sketch, name: 'token' | 'key'): Promise<string | undefined> {
  const given = textOption(invocation.options, name)
  return given === '-' ? (await invocation.terminal.readInput()).trim() : given
}

/** Where the first api_key authenticator of the config looks for a key. */
function keyField(config: Config, key: string): readonly [name: string, value: string] {
  const authenticator = Object.values(config.authenticators ?? {}).find(({ type }) => type === 'api_key')
  if (authenticator?.type !== 'api_key') throw new UsageError('--key: this config has no api_key authenticator')
  const [carrier] = authenticator.in
  if (carrier === undefined || 'bearer' in carrier) return ['Authorization', `Bearer ${key}`]
  return 'header' in carrier ? [carrier.header, key] : ['Cookie', `${carrier.cookie}=${key}`]
}

function headerField(text: string): readonly [name: string, value: string] {
  const at = text.indexOf(':')
  if (at < 1) throw new UsageError(`--header ${text.split('=', 1)[0] ?? ''}: expected 'NAME: VALUE'`)
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()]
}

/** Cookies travel in one field, whoever brought them. */
export function joinCookies(fields: readonly (readonly [string, string])[]): readonly (readonly [string, string])[] {
  const isCookie = ([name]: readonly [string, string]): boolean => name.toLowerCase() === 'cookie'
  const cookies = fields.filter(isCookie).map(([, value]) => value)
  return [...fields.filter((field) => !isCookie(field)), ...(cookies.length > 0 ? [['Cookie', cookies.join('; ')] as const] : [])]
}

/** @throws {UsageError} when an argument does not have the form of what it stands for */
export async function sketchRequest(invocation: Sketch, config: Config): Promise<SketchedRequest> {
  const { positionals, options } = invocation
  const [method = '', path = ''] = positionals
  if (!METHOD.test(method)) throw new UsageError(`"${method}" is not a method; write \`postern explain GET /path\``)
  if (!path.startsWith('/')) throw new UsageError(`"${path}" is not a path; write \`postern explain GET /path\``)
  const peer = textOption(options, 'ip') ?? '127.0.0.1'
  if (isIP(peer) === 0) throw new UsageError(`--ip ${peer}: expected an IP address`)
  const token = await secretOf(invocation, 'token')
  const key = await secretOf(invocation, 'key')
  const fields = joinCookies([
    ['Host', textOption(options, 'host') ?? 'localhost'],
    ...(token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const]),
    ...(key === undefined ? [] : [keyField(config, key)]),
    ...textOptions(options, 'cookie').map((cookie) => ['Cookie', cookie] as const),
    ...textOptions(options, 'header').map(headerField),
  ])
  return { message: { method: method.toUpperCase(), url: path, httpVersion: '1.1', rawHeaders: fields.flat() }, peer, encrypted: options['https'] === true }
}
