import { passesFor } from '../base/name-spelling.ts'

/** Spring and ASP.NET take a dotted name for a path, so `user.id` as one name stands beside `user` and its `id`. */
function spelledBeside(value: unknown, path: readonly string[]): boolean {
  const [wanted, ...rest] = path
  if (wanted === undefined || typeof value !== 'object' || value === null || Array.isArray(value)) return false
  if (Object.keys(value).some((name) => passesFor(name, wanted) || (rest.length > 0 && name.toLowerCase() === path.join('.').toLowerCase()))) return true
  return Object.hasOwn(value, wanted) && spelledBeside((value as Readonly<Record<string, unknown>>)[wanted], rest)
}

/**
 * Whether a parsed body has a member that rules look at in a spelling that they do not see, but that the upstream may read.
 *
 * @param paths names from the outermost object inwards
 */
export const hasOtherSpelling = (body: unknown, paths: readonly (readonly string[])[]): boolean => paths.some((path) => spelledBeside(body, path))
