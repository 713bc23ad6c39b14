import { z } from 'zod'
import { flag, list, positiveDuration, text } from './scalars.ts'

const EXPECTED = 'a URL such as "redis://redis:6379" or "rediss://user:password@redis:6380/0"'

/** `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. Empty: no store. */
const storeUrl = z.string().superRefine((value, context) => {
  if (value === '') return
  const url = URL.canParse(value) ? new URL(value) : undefined
  const fits = url && /^rediss?:$/.test(url.protocol) && url.hostname !== '' && /^\/?\d{0,4}$/.test(url.pathname) && url.search === '' && url.hash === ''
  if (!fits) context.addIssue({ code: 'custom', message: `expected ${EXPECTED}` })
}).meta({ title: 'store url', examples: ['redis://redis:6379'] })

/** A part of one: `0.25`, or `1/4` as people say it of four replicas. */
const share = z.union([z.string(), z.number()]).transform((value, context) => {
  const [, above, below = '1'] = /^(\d+(?:\.\d+)?)(?:\/(\d{1,6}))?$/.exec(String(value)) ?? []
  const part = Number(above) / Number(below)
  if (part > 0 && part <= 1) return part
  context.addIssue({ code: 'custom', message: 'expected a part of one such as 0.25 or "1/4"' })
  return z.NEVER
}).meta({ title: 'share', examples: ['1/4'] })

const redisTls = z.strictObject({
  ca: text.optional().describe('PEM file of the authority of the server.'),
  certificate: text.optional().describe('PEM file of our own certificate.'),
  key: text.optional().describe('PEM file of its private key.'),
  server_name: text.optional().describe('Name in the certificate, when it is not the host of the URL.'),
}).meta({ title: 'store TLS' })

/** How a Redis is reached, whatever is kept there. */
const redisKeys = {
  urls: list.optional().describe('Sentinels, or seeds of a cluster.'),
  sentinel: text.optional().describe('What the sentinels at `urls` call the master.'),
  cluster: flag.prefault(false).describe('`urls` are seeds of a cluster.'),
  tls: redisTls.optional().describe('How the server is trusted, and we by it. `rediss://` alone trusts the authorities of the system.'),
  username: z.string().optional().describe('ACL user, when the URL names none.'),
  password: z.string().optional().describe('Its password, when the URL names none.'),
  sentinel_username: z.string().optional().describe('ACL user of the sentinels.'),
  sentinel_password: z.string().optional().describe('Password of the sentinels.'),
} as const

/** Where counters live that replicas share. The URL alone says it in the common case. */
export const store = z.union([
  storeUrl,
  z.strictObject({
    url: storeUrl.optional().describe('One server. Empty: counters in memory.'),
    ...redisKeys,
    secret: z.string().optional().describe('Names of counters are digests made with it, the same on every replica. Default: made from the password of the store.'),
    prefix: z.string().regex(/^[A-Za-z0-9_.:-]{1,64}$/, 'expected letters, digits and _ . : -').default('postern').describe('Namespace of every key.'),
    deadline: positiveDuration.prefault('50ms').describe('Longest time that a request waits for the store.'),
    share: share.prefault(1).describe('The part of each quota that this replica may give out alone while the store is away: `1/N` for N replicas.'),
  }),
]).meta({ title: 'store' })

export type StoreConfig = z.output<typeof store>

/** Where keys or denials live: a file, a URL, or a Redis that takes more words than a URL has. Empty: nowhere. */
export const keyStore = z.union([
  z.string(),
  z.strictObject({
    url: storeUrl.optional().describe('One server. Empty: no store.'),
    ...redisKeys,
    namespace: z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, 'expected letters, digits and _ . -').default('postern').describe('Several stores share one server by it.'),
  }),
]).meta({ title: 'key store', examples: ['/var/lib/postern/keys.db'] })

export type KeyStoreConfig = z.output<typeof keyStore>

/** What both kinds of store write of a Redis. */
export type RedisConfig = Pick<Exclude<KeyStoreConfig, string>, 'url' | keyof typeof redisKeys>
