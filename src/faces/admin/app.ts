import { Hono } from 'hono'
import { KeyActRefused } from '../../keys/key-request.ts'
import { KeyStoreUnavailable } from '../../keys/key-store.ts'
import type { Observer } from '../../model/event.ts'
import { createAdmission, type AdmissionOptions } from './admission.ts'
import { BodyTooLarge, MAX_BODY_BYTES } from './body.ts'
import { addDenialsRoutes, type DenialsRoutesOptions } from './denials-routes.ts'
import { addKeysRoutes, json, type AdminEnv, type KeysRoutesOptions } from './keys-routes.ts'
import { openApiDocument } from './openapi.ts'
import { problem } from './problem.ts'

export type AdminAppOptions = AdmissionOptions & KeysRoutesOptions & DenialsRoutesOptions & {
  /** Of Postern. */
  readonly version: string
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

/** The admin API. Every request passes the same door first, whatever it asks for. */
export function createAdminApp(options: AdminAppOptions): Hono<AdminEnv> {
  const admit = createAdmission(options)
  const app = new Hono<AdminEnv>()
  app.use(async (context, next) => {
    const refused = admit(context.env.incoming)
    if (refused) return refused
    const type = context.req.header('content-type')
    // A form or text/plain is what a page of another origin could send without asking first.
    if (context.req.method === 'POST' && type !== undefined && !/^application\/json\s*(;|$)/i.test(type)) return problem('body_rejected', 'Send `Content-Type: application/json`.')
    return next()
  })
  addKeysRoutes(app, options)
  addDenialsRoutes(app, options)
  app.get('/v1/openapi.json', () => json(openApiDocument(options.version)))
  app.notFound(() => problem('route_not_found', 'There is nothing at this address.'))
  app.onError((error) => failure(error, options.observer))
  return app
}
