import type { RedisSettings } from '../redis/redis-settings.ts'
import { redisSettingsOf } from '../redis/redis-urls.ts'

/** Where a store is. Plain data, and secret: it may hold a password. Equal locations are one store. */
export type StoreLocation =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'redis'; readonly redis: RedisSettings; readonly namespace: string }
  | { readonly kind: 'postgresql'; readonly url: string }

export type StoreKind = StoreLocation['kind']

/** In front of everything that one store keeps, where nothing else is said. */
export const DEFAULT_NAMESPACE = 'postern'

function redisLocation(text: string): StoreLocation | string {
  const url = new URL(text)
  if (url.hostname === '') return 'this URL names no host: "redis://host:6379"'
  if (!/^\/?\d{0,4}$/.test(url.pathname)) return 'the database of a Redis URL is a number: "redis://host:6379/0"'
  const unknown = [...url.searchParams.keys()].find((name) => name !== 'namespace')
  if (unknown !== undefined) return 'a Redis URL takes "?namespace=NAME" and nothing else; the rest is written as keys of a map: {url: …, tls: …}'
  const redis = redisSettingsOf({ urls: [text] })
  return redis ? { kind: 'redis', redis, namespace: url.searchParams.get('namespace') ?? DEFAULT_NAMESPACE } : 'this is not a URL that can be read'
}

/** A location from its text, or why it is none. The reason never quotes the text: a URL may hold a password. */
export function locationOf(text: string): StoreLocation | string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return { kind: 'sqlite', path: text }
  const isRedis = /^rediss?:/i.test(text)
  if (!isRedis && !/^postgres(?:ql)?:/i.test(text)) return 'expected the path of a file, or a URL such as "redis://host:6379" or "postgres://user@host/database"'
  if (!URL.canParse(text)) return 'this is not a URL that can be read'
  return isRedis ? redisLocation(text) : { kind: 'postgresql', url: text }
}
