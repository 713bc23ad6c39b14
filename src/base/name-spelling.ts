/**
 * The one spelling under which names of members and of parameters are compared: Go and ASP.NET find one whatever its case (Unicode's simple folding, so
 * that U+017F is an `s`), PHP makes `_` of a dot, a blank or `[` in the name of a field and drops blanks in front.
 */
const folded = (name: string): string => name.trimStart().toUpperCase().toLowerCase().replace(/[ .[]/g, '_')

/** The name in front of brackets: PHP, Rails and qs build objects and lists from `user[id]` and `user_id[]`. */
const bare = (name: string): string => {
  const bracket = name.indexOf('[')
  return bracket < 1 ? name : name.slice(0, bracket)
}

/** Whether some reader takes `name` for `wanted`, although it is written otherwise. */
export const passesFor = (name: string, wanted: string): boolean => name !== wanted && (folded(name) === folded(wanted) || folded(bare(name)) === folded(wanted))
