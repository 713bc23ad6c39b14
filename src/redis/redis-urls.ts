import type { RedisSettings, RedisTls } from './redis-settings.ts'

/** What an operator wrote, as text; empty is the same as absent. */
export interface WrittenRedis {
  /** One, unless they are sentinels or seeds of a cluster. User, password and database are those of the first. */
  readonly urls: readonly string[]
  readonly sentinel?: string | undefined
  readonly cluster?: boolean | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly sentinelUsername?: string | undefined
  readonly sentinelPassword?: string | undefined
  /** Used with `redis://` too. Undefined: as `rediss://` says, with the authorities of the system. */
  readonly tls?: RedisTls | undefined
}

/** Sentinels listen on another port than servers. */
const nodeOf = (url: URL, port: number): RedisSettings['nodes'][number] => ({ host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: url.port === '' ? port : Number(url.port) })

const filled = (value: string | undefined): string | undefined => (value === undefined || value === '' ? undefined : value)

/** A `%` that escapes nothing stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The members that have a value. */
function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> }
}

/** Settings from URLs and what stands beside them; undefined when one of them is no URL, or there is none. */
export function redisSettingsOf(written: WrittenRedis): RedisSettings | undefined {
  const { sentinel } = written
  const urls = written.urls.filter((text) => URL.canParse(text)).map((text) => new URL(text))
  const [first] = urls
  if (!first || urls.length < written.urls.length) return undefined
  const secure = urls.some(({ protocol }) => protocol === 'rediss:')
  const database = Number(first.pathname.slice(1) || '0')
  return {
    kind: written.cluster === true ? 'cluster' : sentinel === undefined ? 'single' : 'sentinel',
    nodes: urls.map((url) => nodeOf(url, sentinel === undefined ? 6_379 : 26_379)),
    ...given({
      masterName: sentinel,
      sentinelUsername: filled(written.sentinelUsername),
      sentinelPassword: filled(written.sentinelPassword),
      username: filled(written.username) ?? filled(decoded(first.username)),
      password: filled(written.password) ?? filled(decoded(first.password)),
      database: database > 0 ? database : undefined,
      tls: written.tls ?? (secure ? {} : undefined),
    }),
  }
}
