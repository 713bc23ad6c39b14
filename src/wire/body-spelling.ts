/**
 * The one spelling under which names of members are compared: Go and ASP.NET find a member whatever its case (Unicode's simple folding, so
 * that U+017F is an `s`), PHP makes `_` of a dot, a blank or `[` in the name of a form field and drops blanks in front.
 */
const folded = (name: string): string => name.trimStart().toUpperCase().toLowerCase().replace(/[ .[]/g, '_')

/** The name in front of brackets: PHP, Rails and qs build objects and lists from `user[id]` and `user_id[]`. */
const bare = (name: string): string => {
  const bracket = name.indexOf('[')
  return bracket < 1 ? name : name.slice(0, bracket)
}

/** Whether some reader takes `name` for `wanted`, although it is written otherwise. */
const passesFor = (name: string, wanted: string): boolean => name !== wanted && (folded(name) === folded(wanted) || folded(bare(name)) === folded(wanted))

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
