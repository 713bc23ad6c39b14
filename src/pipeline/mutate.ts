import { NO_MUTATION, type HeaderMutation } from '../model/mutation.ts'
import type { Principals } from '../model/principal.ts'
import type { RequestDescription } from '../model/request.ts'
import type { Route } from '../model/route.ts'

/** Merges what the route's mutators make of the verified principals. Later ones win over earlier ones of the same name. */
export function mutate(route: Route, request: RequestDescription, principals: Principals): HeaderMutation {
  let merged = NO_MUTATION
  for (const mutator of route.mutators) {
    const next = mutator(request, principals)
    merged = merged === NO_MUTATION ? next : {
      remove: joined(merged.remove, next.remove),
      removeCookies: joined(merged.removeCookies, next.removeCookies),
      set: next.set.length === 0 ? merged.set : [...merged.set.filter(([name]) => !next.set.some(([other]) => other.toLowerCase() === name.toLowerCase())), ...next.set],
    }
  }
  return merged
}

const joined = (first: readonly string[], second: readonly string[]): readonly string[] => (second.length === 0 ? first : first.length === 0 ? second : [...first, ...second])
