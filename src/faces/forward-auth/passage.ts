import { recall, remember } from '../../base/memory.ts'
import type { Allow, Answer } from '../../model/decision.ts'
import type { Gateway, OwnedHeaders } from '../../model/gateway.ts'
import { type HeaderMutation, NO_MUTATION } from '../../model/mutation.ts'
import type { HeaderMap, RequestDescription } from '../../model/request.ts'
import type { Route } from '../../model/route.ts'
import { withoutCookies } from '../../wire/cookies.ts'
import { type HeaderKind, headerKinds } from '../../wire/header-kind.ts'
import { rateLimitFields } from '../../wire/rate-limit-fields.ts'
import type { Passage } from './dialect.ts'
import { SECRET_HEADER } from './trust.ts'

type Field = readonly [name: string, value: string]
type Fields = readonly Field[]

/** Fields that no answer of ours may carry into a request: they frame it or belong to the connection. */
const FRAMING = /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|host|content-length|expect)$/

const written = (folded: string): string => folded.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())

const identities = new WeakMap<OwnedHeaders, { readonly names: readonly string[]; readonly empty: Fields }>()

/** Every identity header that any route knows: its folded name, and its field without a value. */
function identitiesOf(owned: OwnedHeaders): { readonly names: readonly string[]; readonly empty: Fields } {
  const known = identities.get(owned)
  if (known) return known
  const names = [...owned.identity]
  const made = { names, empty: names.map((folded) => [written(folded), ''] as const) }
  identities.set(owned, made)
  return made
}

/** The last value that is set under a name in any spelling. */
function valueOf(set: Fields, folded: string, kind: (name: string) => HeaderKind): string {
  for (let index = set.length - 1; index >= 0; index -= 1) {
    const field = set[index]
    if (field && kind(field[0]).folded === folded) return field[1]
  }
  return ''
}

/**
 * Every identity header, on every passage: a caller that copies what is there, and older Caddy and hand-written configs do just that,
 * leaves the client's own value where nothing is.
 */
function identityFields(owned: OwnedHeaders, set: Fields, kind: (name: string) => HeaderKind): Field[] {
  const { names, empty } = identitiesOf(owned)
  const fields = empty.slice()
  for (let index = 0; index < names.length; index += 1) {
    const value = valueOf(set, names[index] ?? '', kind)
    const field = fields[index]
    if (field && value !== '') fields[index] = [field[0], value]
  }
  return fields
}

/** Adds the fields that are no identity and frame nothing. */
function pushOthers(out: Field[], set: Fields, kind: (name: string) => HeaderKind): void {
  for (const field of set) {
    const { folded, identity } = kind(field[0])
    if (identity === undefined && !FRAMING.test(folded)) out.push(field)
  }
}

const NONE: Fields = []

/** What is left of the credential headers that callers replace by ours. */
function credentialFields(request: RequestDescription, decision: Allow | Answer, { forwardAuth }: Gateway): Fields {
  if (!forwardAuth || forwardAuth.returned.length === 0) return NONE
  const { remove, removeCookies } = decision.outcome === 'allow' ? decision.mutation : NO_MUTATION
  const fields: Field[] = []
  for (const name of forwardAuth.returned) {
    const lines = remove.includes(name) ? undefined : request.headers.get(name)
    const kept = lines && name === 'cookie' ? lines.flatMap((line) => withoutCookies(line, removeCookies) ?? []) : lines
    fields.push([name, kept ? kept.join(name === 'cookie' ? '; ' : ', ') : ''])
  }
  return fields
}

/** Whether all that the client sent as cookies is taken away. */
function losesCookies({ headers }: RequestDescription, removeCookies: readonly string[]): boolean {
  const lines = removeCookies.length === 0 ? undefined : headers.get('cookie')
  return lines !== undefined && lines.length > 0 && lines.every((line) => withoutCookies(line, removeCookies) === undefined)
}

/** Fields to take away for a caller that can: consumed credentials, what the route removes, and a secret that was shown in the request. */
function removedFields(request: RequestDescription, { mutation, route }: Allow, gateway: Gateway): readonly string[] {
  const removed: string[] = []
  for (const name of mutation.remove) if (!removed.includes(name)) removed.push(name)
  for (const name of route.requestHeaders.remove) if (!removed.includes(name)) removed.push(name)
  if (losesCookies(request, mutation.removeCookies) && !removed.includes('cookie')) removed.push('cookie')
  for (const name of secretField(gateway)) removed.push(name)
  return removed
}

/** Where a gateway can show the secret only by writing it into the request, it must go no further. */
const secretField = ({ forwardAuth }: Gateway): readonly string[] => (forwardAuth && forwardAuth.secretDigests.length > 0 ? SECRET_ALONE : NO_NAMES)

const SECRET_ALONE: readonly string[] = [SECRET_HEADER]
const NO_NAMES: readonly string[] = []

/** What follows from the fields of the request and from who was proven: all that is said of it but its limits. */
interface Lasting extends Omit<Passage, 'client'> { readonly gateway: Gateway; readonly headers: HeaderMap; readonly mutation: HeaderMutation; readonly route: Route }

/** Where it stands in the memory of a connection. */
const LASTING = {}

function lastingOf(request: RequestDescription, decision: Allow, gateway: Gateway): Lasting {
  const { memory, headers } = request
  const { mutation, route } = decision
  const known = recall<Lasting>(memory, LASTING)
  if (known?.gateway === gateway && known.headers === headers && known.mutation === mutation && known.route === route) return known
  const kind = headerKinds(gateway.wire.owned)
  const fields = identityFields(gateway.wire.owned, mutation.set, kind)
  pushOthers(fields, route.requestHeaders.set, kind)
  pushOthers(fields, mutation.set, kind)
  const made: Lasting = { gateway, headers, mutation, route, fields, credentials: credentialFields(request, decision, gateway), remove: removedFields(request, decision, gateway) }
  remember(memory, LASTING, made)
  return made
}

/** The fields of an answer that lets a request pass. A preflight passes as nobody: only the upstream can answer it. */
export function passageOf(request: RequestDescription, decision: Allow | Answer, gateway: Gateway, now: number): Passage {
  const { owned, rateLimitFields: settings } = gateway.wire
  if (decision.outcome === 'answer') return { fields: identitiesOf(owned).empty, credentials: credentialFields(request, decision, gateway), client: NONE, remove: secretField(gateway) }
  const { fields, credentials, remove } = lastingOf(request, decision, gateway)
  return { fields, credentials, client: rateLimitFields(decision.limits, settings, now), remove }
}
