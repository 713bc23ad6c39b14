import { hmacSha256 } from '../base/bytes.ts'
import { canonicalIp, partitionOfIp } from '../base/cidr.ts'

const KINDS = 'client_ip:ADDRESS, principal:AUTHENTICATOR:SUBJECT, credential:AUTHENTICATOR:ID, route:NAME, header:NAME:VALUE, body.PATH:VALUE or account:token:ISSUER:SUBJECT'

/** What an operator wrote names no partition. The message says what would. */
export class PartitionTextError extends Error {
  constructor(text: string) {
    super(`${JSON.stringify(text)} names no partition – expected ${KINDS}`)
    this.name = 'PartitionTextError'
  }
}

/** An address counts as its network does, however it is spelled (T30). */
function ofAddress(text: string): string | undefined {
  const ip = canonicalIp(text)
  return ip === undefined ? undefined : `ip:${partitionOfIp(ip)}`
}

function ofHeader(rest: string): string | undefined {
  const [, name, value] = /^([^:]+):(.+)$/s.exec(rest) ?? []
  return name === undefined ? undefined : `header:${name.toLowerCase()}:${value}`
}

function ofBody(key: string, value: string, secret: Uint8Array): string {
  const [path = '', ...filters] = key.split('|')
  const folded = filters.includes('lower') ? value.trim().toLowerCase() : value
  return `body:${path}:${hmacSha256(secret, folded).toString('base64url')}`
}

/**
 * The partition that an operator means, as the rules of a config name it: `client_ip:203.0.113.9`, `principal:jwt:alice`.
 *
 * @throws {PartitionTextError} when it cannot be one
 */
export function partitionOfText(text: string, secret: Uint8Array): string {
  const [, kind = '', rest = ''] = /^([^:]+):(.+)$/s.exec(text) ?? []
  const two = /^[^:]+:.+$/s.test(rest)
  if (kind === 'client_ip' || kind === 'ip') return ofAddress(rest) ?? refuse(text)
  if ((kind === 'principal' || kind === 'user') && two) return `principal:${rest}`
  if ((kind === 'credential' || kind === 'api_key') && two) return `credential:${rest}`
  if (kind === 'route') return `route:${rest}`
  if (kind === 'header') return ofHeader(rest) ?? refuse(text)
  if (kind.startsWith('body.')) return ofBody(kind.slice('body.'.length), rest, secret)
  if (kind === 'partition') return rest
  if (kind === 'account') return `account:${hmacSha256(secret, rest).toString('base64url')}`
  return refuse(text)
}

/** The same the other way round. What was hashed cannot be said in words: it is named as it is counted, `partition:…`. */
export function textOfPartition(partition: string): string {
  if (partition.startsWith('ip:')) return `client_${partition}`
  return /^(?:principal|credential|route|header):/.test(partition) ? partition : `partition:${partition}`
}

function refuse(text: string): never {
  throw new PartitionTextError(text)
}
