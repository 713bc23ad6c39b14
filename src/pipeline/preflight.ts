import type { Reply } from '../model/decision.ts'
import type { RequestDescription } from '../model/request.ts'
import type { CorsPolicy } from '../model/route.ts'

/**
 * The method that a CORS preflight announces, or undefined when this is an ordinary request. An OPTIONS without both
 * fields is ordinary and needs what any request needs (T59); a real preflight is never forwarded.
 */
export function preflightMethod(request: RequestDescription): string | undefined {
  if (request.method !== 'OPTIONS') return undefined
  const origins = request.headers.get('origin')
  const methods = request.headers.get('access-control-request-method')
  return origins?.length === 1 && methods?.length === 1 ? methods[0] : undefined
}

/** 204 with what the policy allows this origin. */
export function preflightReply(request: RequestDescription, cors: CorsPolicy): Reply {
  return { status: 204, headers: cors.preflightFor(request.headers.get('origin')?.[0]), body: '' }
}
