import type { Hono } from 'hono'
import { denyView, type DenyService } from '../../keys/deny-service.ts'
import { bodyOf, json, type AdminEnv } from './keys-routes.ts'
import { problem } from './problem.ts'
import { readQuery, type MemberSorts } from './request-members.ts'

export interface DenialsRoutesOptions {
  /** Undefined: the config has no deny list. Read anew for each request. */
  readonly denials: () => DenyService | undefined
}

export const DENIAL: MemberSorts = { jti: 'text', sub: 'text', sid: 'text', until: 'text', issued_before: 'text', authenticator: 'text' }

const NONE = 'This config has no deny list; add `deny_list`.'

/** Adds the operations on the deny list. */
export function addDenialsRoutes(app: Hono<AdminEnv>, { denials }: DenialsRoutesOptions): void {
  app.get('/v1/denials', async (context) => {
    readQuery(context.req.url, [])
    const service = denials()
    return service ? json({ items: (await service.list()).map(denyView) }) : problem('route_not_found', NONE)
  })

  app.post('/v1/denials', async (context) => {
    readQuery(context.req.url, [])
    const service = denials()
    if (!service) return problem('route_not_found', NONE)
    const { text } = await bodyOf(context, DENIAL)
    const named = { jti: text('jti'), sub: text('sub'), sid: text('sid'), until: text('until'), authenticator: text('authenticator') }
    return json(denyView(await service.deny({ ...named, issuedBefore: text('issued_before') }, context.var.actor)), 201)
  })
}
