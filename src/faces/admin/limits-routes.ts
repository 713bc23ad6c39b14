import type { Hono } from 'hono'
import { KeyActRefused } from '../../keys/key-request.ts'
import { ACTOR, bodyOf, json, type AdminEnv } from './keys-routes.ts'
import { readQuery, type MemberSorts } from './request-members.ts'

/** Counters of one partition, as the operator names it: `client_ip:203.0.113.9`, `principal:jwt:alice`. */
export interface LimitsService {
  /** @throws {KeyActRefused} when the text names no partition */
  readonly show: (partition: string) => Promise<readonly object[]>
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
  app.get('/v1/limits', async (context) => json({ items: await limits().show(partitionIn(readQuery(context.req.url, ['partition']).text('partition'))) }))

  app.post('/v1/limits/reset', async (context) => {
    readQuery(context.req.url, [])
    const { text } = await bodyOf(context, LIMITS_RESET)
    return json({ reset: await limits().reset(partitionIn(text('partition')), text('policy'), ACTOR) })
  })
}
