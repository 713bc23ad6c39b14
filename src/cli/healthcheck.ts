import { existsSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { textOption, type Invocation, type Run } from './command.ts'
import { findConfigFile } from './config-file.ts'
import { EXIT, OperatorError } from './exit-codes.ts'

const DEFAULT_ADDRESS = '127.0.0.1:9090'
const TIMEOUT_MS = 3_000

/** A connectable form: a listener on every address is asked on loopback. */
function connectable(address: string): { readonly socketPath: string } | { readonly host: string; readonly port: string } {
  if (address.startsWith('unix:')) return { socketPath: address.slice(5) }
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(address)
  if (!match) throw new OperatorError(`"${address}" is not an address such as 127.0.0.1:9090`)
  const host = match[1] ?? match[2] ?? ''
  if (host === '' || host === '0.0.0.0') return { host: '127.0.0.1', port: match[3] ?? '' }
  return { host: host === '::' ? '::1' : host, port: match[3] ?? '' }
}

/**
 * The `ops` key without loading the config: the schema and the secrets would take longer than the probe itself. Only a
 * value that is plain text on one line is read this way.
 */
function plainOpsAddress(text: string): string | undefined {
  const match = /^ops:[ \t]*(["']?)([^"'#\s{}$&*!|>]+)\1[ \t]*(?:#.*)?$/m.exec(text)
  if (match) return match[2]
  return /\bops\b["']?\s*:|<<:/.test(text) ? undefined : DEFAULT_ADDRESS
}

async function loadedOpsAddress(file: string | undefined, env: NodeJS.ProcessEnv): Promise<string> {
  const { loadConfig } = await import('../config/load.ts')
  const { ops } = loadConfig({ file, env }).config
  if (ops === 'off') return 'off'
  return ops.path === undefined ? `${ops.host.includes(':') ? `[${ops.host}]` : ops.host}:${ops.port}` : `unix:${ops.path}`
}

async function opsAddress(invocation: Invocation): Promise<string> {
  const given = textOption(invocation.options, 'address')
  if (given !== undefined) return given
  const file = findConfigFile(invocation)
  const overridden = Object.keys(invocation.env).some((name) => name.startsWith('POSTERN_OPS'))
  const plain = overridden || file === undefined || !existsSync(file) ? undefined : plainOpsAddress(readFileSync(file, 'utf8'))
  if (plain !== undefined) return plain
  return overridden || file !== undefined ? loadedOpsAddress(file, invocation.env) : DEFAULT_ADDRESS
}

/** Status and body of /readyz?verbose. */
const ask = (address: string): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const request = get({ ...connectable(address), path: '/readyz?verbose', timeout: TIMEOUT_MS, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    request.on('error', reject)
  })

/** `postern healthcheck`: for containers without a kubelet. Exit 0 when the instance beside this process is ready. */
export const run: Run = async (invocation) => {
  const { terminal } = invocation
  const address = await opsAddress(invocation)
  if (address === 'off') throw new OperatorError('the config says `ops: off`, so there is nothing to ask')
  const { status, body } = await ask(address).catch((error: unknown) => {
    throw new OperatorError(`${address} does not answer: ${error instanceof Error ? error.message : String(error)}`)
  })
  if (status === 200) terminal.say(body.trimEnd())
  else terminal.complain(body.trimEnd())
  return status === 200 ? EXIT.ok : EXIT.failure
}
