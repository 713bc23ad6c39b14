import type { IncomingMessage } from 'node:http'
import { Hono } from 'hono'
import type { Clock } from '../../base/time.ts'
import { KeyActRefused } from '../../keys/key-request.ts'
import { KeyStoreUnavailable } from '../../keys/key-store.ts'
import type { Observer } from '../../model/event.ts'
import { actorOf } from './actor.ts'
import { BodyTooLarge, MAX_BODY_BYTES } from './body.ts'
import { addDenialsRoutes, type DenialsRoutesOptions } from './denials-routes.ts'
import { addExplainRoutes, type ExplainRoutesOptions } from './explain-routes.ts'
import type { AdminGateway, Judged } from './gate.ts'
import { addKeysRoutes, json, type AdminEnv, type KeysRoutesOptions } from './keys-routes.ts'
import { addLimitsRoutes, type LimitsRoutesOptions } from './limits-routes.ts'
import { openApiDocument } from './openapi.ts'
import { addPageRoutes } from './page-routes.ts'
import type { PageFacts } from './page-views.ts'
import { problem } from './problem.ts'
import type { PageSessions } from './sessions.ts'

export type AdminAppOptions = KeysRoutesOptions & DenialsRoutesOptions & LimitsRoutesOptions & ExplainRoutesOptions & {
  readonly gateway: () => AdminGateway
  readonly clock: Clock
  readonly observer: Observer
  /** Of Postern. */
  readonly version: string
  /** What the pages show; without it there are none. */
  readonly facts?: PageFacts
  readonly sessions: PageSessions
}

/** An act that was refused is an answer; anything else is a bug, told to the observer and to nobody else. */
function failure(error: unknown, observer: Observer): Response {
  if (error instanceof BodyTooLarge) return problem('request_too_large', `A body may have ${MAX_BODY_BYTES} bytes.`, { connection: 'close' })
  if (error instanceof KeyActRefused) return problem(error.code, error.message)
  if (error instanceof KeyStoreUnavailable) {
    observer.noticed('error', 'key_store_unavailable', 'the key store cannot be used', { cause: error.message })
    return problem('dependency_unavailable', 'Nothing was changed; try again later.', { 'retry-after': '5' })
  }
  observer.faulted(error)
  return problem('internal', 'The request could not be handled because of a fault on this side.')
}

/**
 * The admin API and its pages: what happens to requests that the pipe has let in.
 *
 * @param judgedOf  what was decided about a request; one without it is a bug, and does nothing
 */
export function createAdminApp(options: AdminAppOptions, judgedOf: (incoming: IncomingMessage) => Judged | undefined): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>()
  app.use(async (context, next) => {
    const judged = judgedOf(context.env.incoming)
    if (judged?.decision.outcome !== 'allow') throw new Error('a request that was not let in got as far as the admin app')
    context.set('judged', judged)
    context.set('actor', actorOf(judged.decision.principals))
    const type = context.req.header('content-type')
    // A form or text/plain is what a page of another origin could send without asking first.
    const isApi = context.req.path.startsWith('/v1/')
    if (isApi && context.req.method === 'POST' && type !== undefined && !/^application\/json\s*(;|$)/i.test(type)) return problem('body_rejected', 'Send `Content-Type: application/json`.')
    return next()
  })
  addKeysRoutes(app, options)
  addDenialsRoutes(app, options)
  addLimitsRoutes(app, options)
  addExplainRoutes(app, options)
  if (options.facts) addPageRoutes(app, { ...options, facts: options.facts })
  app.get('/v1/openapi.json', () => json(openApiDocument(options.version)))
  app.notFound(() => problem('route_not_found', 'There is nothing at this address.'))
  app.onError((error) => failure(error, options.observer))
  return app
}
