import { NO_MUTATION, type HeaderMutation } from '../model/mutation.ts'
import type { Principals } from '../model/principal.ts'
import type { RequestDescription } from '../model/request.ts'
import type { Route } from '../model/route.ts'

/** Merges what the route's mutators make of the verified principals. Later ones win over earlier ones of the same name. */
export function mutate(route: Route, request: RequestDescription, principals: Principals): HeaderMutation {
  const [first, ...rest] = route.mutators
  if (!first) return NO_MUTATION
  const only = first(request, principals)
  if (rest.length === 0) return only
  const all = [only, ...rest.map((mutator) => mutator(request, principals))]
  const set = new Map(all.flatMap((mutation) => mutation.set.map((field) => [field[0].toLowerCase(), field] as const)))
  return {
    remove: all.flatMap((mutation) => mutation.remove),
    removeCookies: all.flatMap((mutation) => mutation.removeCookies),
    set: [...set.values()],
  }
}
