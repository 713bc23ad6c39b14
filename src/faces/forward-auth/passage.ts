import type { Allow, Answer } from '../../model/decision.ts'
import type { Gateway, OwnedHeaders } from '../../model/gateway.ts'
import { NO_MUTATION } from '../../model/mutation.ts'
import type { RequestDescription } from '../../model/request.ts'
import { withoutCookies } from '../../wire/cookies.ts'
import { headerKinds } from '../../wire/header-kind.ts'
import { rateLimitFields } from '../../wire/rate-limit-fields.ts'
import type { Passage } from './dialect.ts'
import { SECRET_HEADER } from './trust.ts'

type Fields = readonly (readonly [name: string, value: string])[]

/** Fields that no answer of ours may carry into a request: they frame it or belong to the connection. */
const FRAMING = /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|host|content-length|expect)$/

const written = (folded: string): string => folded.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())

const identities = new WeakMap<OwnedHeaders, Fields>()

/** Every identity header that any route knows, without a value. */
function nobody(owned: OwnedHeaders): Fields {
  const known = identities.get(owned)
  if (known) return known
  const made = [...owned.identity].map((folded) => [written(folded), ''] as const)
  identities.set(owned, made)
  return made
}

/**
 * Every identity header, on every passage: a caller that copies what is there, and older Caddy and hand-written configs do just that,
 * leaves the client's own value where nothing is.
 */
function identityFields(owned: OwnedHeaders, set: Fields): Fields {
  const all = nobody(owned)
  if (set.length === 0) return all
  const kind = headerKinds(owned)
  const values = new Map(set.map(([name, value]) => [kind(name).folded, value]))
  return all.map(([name]) => [name, values.get(kind(name).folded) ?? ''])
}

/** What is left of the credential headers that callers replace by ours. */
function credentialFields(request: RequestDescription, decision: Allow | Answer, { forwardAuth }: Gateway): Fields {
  if (!forwardAuth || forwardAuth.returned.length === 0) return []
  const { remove, removeCookies } = decision.outcome === 'allow' ? decision.mutation : NO_MUTATION
  return forwardAuth.returned.map((name) => {
    const lines = remove.includes(name) ? [] : (request.headers.get(name) ?? [])
    const kept = name === 'cookie' ? lines.flatMap((line) => withoutCookies(line, removeCookies) ?? []) : lines
    return [name, kept.join(name === 'cookie' ? '; ' : ', ')]
  })
}

/** Fields to take away for a caller that can: consumed credentials, and what the route removes. */
function removedFields(request: RequestDescription, { mutation, route }: Allow): readonly string[] {
  const cookies = request.headers.get('cookie') ?? []
  const bare = cookies.length > 0 && mutation.removeCookies.length > 0 && cookies.every((line) => withoutCookies(line, mutation.removeCookies) === undefined)
  return [...new Set([...mutation.remove, ...route.requestHeaders.remove, ...(bare ? ['cookie'] : [])])]
}

/** Where a gateway can show the secret only by writing it into the request, it must go no further. */
const secretField = ({ forwardAuth }: Gateway): readonly string[] => ((forwardAuth?.secretDigests.length ?? 0) > 0 ? [SECRET_HEADER] : [])

/** The fields of an answer that lets a request pass. A preflight passes as nobody: only the upstream can answer it. */
export function passageOf(request: RequestDescription, decision: Allow | Answer, gateway: Gateway, now: number): Passage {
  const { owned, rateLimitFields: settings } = gateway.wire
  if (decision.outcome === 'answer') return { fields: nobody(owned), credentials: credentialFields(request, decision, gateway), client: [], remove: secretField(gateway) }
  const { mutation, route, limits } = decision
  const kind = headerKinds(owned)
  const others = [...route.requestHeaders.set, ...mutation.set].filter(([name]) => kind(name).identity === undefined && !FRAMING.test(kind(name).folded))
  return {
    fields: [...identityFields(owned, mutation.set), ...others],
    credentials: credentialFields(request, decision, gateway),
    client: rateLimitFields(limits, settings, now),
    remove: [...removedFields(request, decision), ...secretField(gateway)],
  }
}
