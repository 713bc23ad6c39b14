import { readFileSync } from 'node:fs'
import type { RedisSettings, RedisTls } from '../redis/redis-settings.ts'
import { redisSettingsOf } from '../redis/redis-urls.ts'
import type { ConfigPath, Mistake } from './mistake.ts'
import type { RedisConfig } from './schema-store.ts'

export const filled = (value: string | undefined): string | undefined => (value === undefined || value === '' ? undefined : value)

/** Whether it names no server at all, as when a variable is unset: then there is no store. */
export const namesNoServer = ({ url, urls = [] }: Pick<RedisConfig, 'url' | 'urls'>): boolean => filled(url) === undefined && urls.length === 0

function pem(file: string | undefined, path: ConfigPath, mistakes: Mistake[]): string | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    mistakes.push({ path, message: `${file} cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'}` })
    return undefined
  }
}

function tlsOf({ tls }: RedisConfig, path: ConfigPath, mistakes: Mistake[]): RedisTls | undefined {
  if (!tls) return undefined
  const read = (name: 'ca' | 'certificate' | 'key'): string | undefined => pem(tls[name], [...path, 'tls', name], mistakes)
  const [ca, certificate, key] = [read('ca'), read('certificate'), read('key')]
  return { ...(ca !== undefined && { ca }), ...(certificate !== undefined && { certificate }), ...(key !== undefined && { key }), ...(tls.server_name !== undefined && { serverName: tls.server_name }) }
}

/** The long form as settings; undefined when it names no server, or one that is no URL. */
export function compileRedis(written: RedisConfig, path: ConfigPath, mistakes: Mistake[]): RedisSettings | undefined {
  return redisSettingsOf({
    urls: filled(written.url) === undefined ? (written.urls ?? []) : [written.url ?? ''],
    sentinel: written.sentinel, cluster: written.cluster, username: written.username, password: written.password,
    sentinelUsername: written.sentinel_username, sentinelPassword: written.sentinel_password, tls: tlsOf(written, path, mistakes),
  })
}

/** What cannot be meant as written; `path` is where it stands. */
export function checkRedis({ url, urls = [], sentinel, cluster, tls }: RedisConfig, path: ConfigPath): readonly Mistake[] {
  const at = (...keys: string[]): ConfigPath => [...path, ...keys]
  const found: Mistake[] = urls.flatMap((text, index) => (/^rediss?:\/\/[^/\s?#]+\/?$/.test(text) && URL.canParse(text) ? [] : [{ path: [...at('urls'), index], message: 'expected a URL such as "redis://redis-1:6379"' }]))
  if (filled(url) !== undefined && urls.length > 0) found.push({ path: at('urls'), message: 'stands beside "url"; write one of the two' })
  if (sentinel !== undefined && cluster) found.push({ path: at('sentinel'), message: 'a cluster has no sentinels; remove one of "sentinel" and "cluster"' })
  if (urls.length > 1 && sentinel === undefined && !cluster) found.push({ path: at('urls'), message: 'several URLs are sentinels ("sentinel: NAME") or seeds of a cluster ("cluster: true"); say which' })
  if ((tls?.certificate === undefined) !== (tls?.key === undefined)) found.push({ path: at('tls', tls?.key === undefined ? 'certificate' : 'key'), message: 'a certificate and its private key go together; one of "certificate" and "key" is missing' })
  return found
}
