import type { Hono } from 'hono'
import { KeyActRefused } from '../../keys/key-request.ts'
import { bodyOf, json, type AdminEnv } from './keys-routes.ts'
import { readQuery, type MemberSorts } from './request-members.ts'

/** One counter of a partition. Numbers are null where no policy of the config is called so any more. */
export interface LimitView {
  readonly policy: string
  readonly algorithm: string
  readonly window_ms: number
  readonly used: number
  readonly quota: number | null
  readonly remaining: number | null
  readonly resets_at: string
}

/** A counter with little or nothing left. */
export interface CloseCallView {
  readonly partition: string
  readonly policy: string
  readonly exceeded: boolean
  readonly remaining: number
  readonly quota: number
  readonly resets_at: string
  /** When this process counted there last. */
  readonly seen_at: string
}

/** Counters of one partition, as the operator names it: `client_ip:203.0.113.9`, `principal:jwt:alice`. */
export interface LimitsService {
  /** @throws {KeyActRefused} when the text names no partition */
  readonly show: (partition: string) => Promise<readonly LimitView[]>
  /** Who is near or over a limit, as far as this process has seen. */
  readonly closeCalls: () => Promise<readonly CloseCallView[]>
  /** Gives how many counters were forgotten. @throws {KeyActRefused} as above */
  readonly reset: (partition: string, policy: string | undefined, actor: string) => Promise<number>
}

export interface LimitsRoutesOptions {
  /** Read anew for each request, since a reload may change the policies. */
  readonly limits: () => LimitsService
}

export const LIMITS_RESET: MemberSorts = { partition: 'text', policy: 'text' }

function partitionIn(text: string | undefined): string {
  if (text === undefined) throw new KeyActRefused('request_invalid', 'partition – expected such as client_ip:203.0.113.9 or principal:jwt:alice')
  return text
}

/** Adds the operations on counters. */
export function addLimitsRoutes(app: Hono<AdminEnv>, { limits }: LimitsRoutesOptions): void {
  app.get('/v1/limits', async (context) => {
    const partition = readQuery(context.req.url, ['partition']).text('partition')
    return json({ items: partition === undefined ? await limits().closeCalls() : await limits().show(partition) })
  })

  app.post('/v1/limits/reset', async (context) => {
    readQuery(context.req.url, [])
    const { text } = await bodyOf(context, LIMITS_RESET)
    return json({ reset: await limits().reset(partitionIn(text('partition')), text('policy'), context.var.actor) })
  })
}
