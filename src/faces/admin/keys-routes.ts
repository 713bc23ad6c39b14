import type { HttpBindings } from '@hono/node-server'
import type { Context, Hono } from 'hono'
import type { Clock } from '../../base/time.ts'
import { KeyActRefused, overlapOf } from '../../keys/key-request.ts'
import type { IssuedKey, KeyService } from '../../keys/key-service.ts'
import { viewOf } from '../../keys/key-view.ts'
import { duplicateMember } from '../../wire/json-members.ts'
import { textOf } from './body.ts'
import type { Judged } from './gate.ts'
import { createIdempotency } from './idempotency.ts'
import { COMMON_HEADERS, problem } from './problem.ts'
import { readMembers, readQuery, type Members, type MemberSorts } from './request-members.ts'

/** What every request carries: the incoming message, what was decided about it, and who is behind it, as the audit log names them. */
export interface AdminEnv { Bindings: HttpBindings; Variables: { judged: Judged; actor: string } }

export interface KeysRoutesOptions {
  /** By authenticator; read anew for each request, since a reload may change them. */
  readonly services: () => ReadonlyMap<string, KeyService>
  readonly clock: Clock
}

export const NEW_KEY: MemberSorts = { owner: 'text', email: 'text', tier: 'text', status: 'text', scopes: 'list', roles: 'list', name: 'text', notes: 'text', expires: 'text', environment: 'text', allowed_networks: 'list', limits: 'list' }
export const ROTATION: MemberSorts = { overlap: 'text', expires: 'text' }
const DEFAULT_LIMIT = 100

export const json = (body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...COMMON_HEADERS, ...headers } })

/** @throws {KeyActRefused} when it is not clear whose keys are meant */
function serviceOf(services: ReadonlyMap<string, KeyService>, wanted: string | undefined): KeyService | undefined {
  if (wanted !== undefined) return services.get(wanted)
  if (services.size > 1) throw new KeyActRefused('request_invalid', `several authenticators have a key store; add ?authenticator=, one of ${[...services.keys()].join(', ')}`)
  const [only] = services.values()
  return only
}

export const bodyOf = async (context: Context<AdminEnv>, sorts: MemberSorts): Promise<Members> => membersOf(await textOf(context.env.incoming), sorts)

function membersOf(text: string, sorts: MemberSorts): Members {
  if (text === '') return readMembers({}, sorts)
  try {
    const value: unknown = JSON.parse(text)
    if (duplicateMember(text, 4) !== undefined) throw new KeyActRefused('request_invalid', 'a member stands twice in the body, or it is nested too deeply')
    return readMembers(value, sorts)
  } catch (error) {
    // The parser's message quotes what it read.
    throw error instanceof SyntaxError ? new KeyActRefused('request_invalid', 'the body is not JSON') : error
  }
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > 1_000) throw new KeyActRefused('request_invalid', 'limit – expected a number from 1 to 1000')
  return limit
}

/** Adds the operations on keys. A key's text is in the answer to its creation and nowhere else. */
export function addKeysRoutes(app: Hono<AdminEnv>, { services, clock }: KeysRoutesOptions): void {
  const idempotency = createIdempotency(clock)
  const issued = ({ record, key }: IssuedKey, more: Readonly<Record<string, string>> = {}): Response => json({ ...viewOf(record, clock()), key, ...more }, 201, { location: `/v1/keys/${record.id}` })

  /** Runs `work` with the service that the query names. */
  const withService = (extra: readonly string[], work: (service: KeyService, context: Context<AdminEnv>, query: Members) => Promise<Response>) => async (context: Context<AdminEnv>): Promise<Response> => {
    const query = readQuery(context.req.url, ['authenticator', ...extra])
    const service = serviceOf(services(), query.text('authenticator'))
    return service ? work(service, context, query) : problem('route_not_found', 'No authenticator with this name has a key store.')
  }

  const id = (context: Context<AdminEnv>): string => context.req.param('id') ?? ''

  app.get('/v1/keys', withService(['limit', 'after', 'owner'], async (service, _context, query) => {
    const { items, next } = await service.list({ limit: limitOf(query.text('limit')), after: query.text('after'), owner: query.text('owner') })
    return json({ items: items.map((record) => viewOf(record, clock())), next: next ?? null })
  }))

  app.post('/v1/keys', withService([], async (service, context) => {
    const written = await textOf(context.env.incoming)
    const { text, list } = membersOf(written, NEW_KEY)
    const texts = Object.fromEntries(['email', 'tier', 'status', 'name', 'notes', 'expires', 'environment'].map((name) => [name, text(name)]))
    const lists = { scopes: list('scopes'), roles: list('roles'), allowedNetworks: list('allowed_networks'), limits: list('limits') }
    const { actor } = context.var
    // The answer holds a key: it is given again to nobody else.
    const made = await idempotency.once(context.req.header('idempotency-key'), `create ${actor} ${context.req.url} ${written}`, (token) => service.issue({ owner: text('owner') ?? '', ...texts, ...lists }, actor, { token }))
    return issued(made)
  }))

  app.get('/v1/keys/:id', withService([], async (service, context) => json(viewOf(await service.show(id(context)), clock()))))

  app.post('/v1/keys/:id/rotate', withService([], async (service, context) => {
    const written = await textOf(context.env.incoming)
    const { text } = membersOf(written, ROTATION)
    const overlap = text('overlap')
    const wishes = { expires: text('expires'), overlapMs: overlap === undefined ? undefined : overlapOf(overlap) }
    const { actor } = context.var
    const made = await idempotency.once(context.req.header('idempotency-key'), `rotate ${actor} ${context.req.url} ${written}`, () => service.rotate(id(context), wishes, actor))
    return issued(made, { replaces: id(context) })
  }))

  app.post('/v1/keys/:id/suspend', withService([], async (service, context) => json(viewOf(await service.suspend(id(context), context.var.actor), clock()))))
  app.post('/v1/keys/:id/resume', withService([], async (service, context) => json(viewOf(await service.resume(id(context), context.var.actor), clock()))))

  app.delete('/v1/keys/:id', withService([], async (service, context) => {
    await service.revoke(id(context), context.var.actor)
    return new Response(null, { status: 204, headers: COMMON_HEADERS })
  }))
}
