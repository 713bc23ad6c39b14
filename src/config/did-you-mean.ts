/** Number of single-character insertions, deletions and replacements between two texts. */
export function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [i, a] of [...from].entries()) {
    const next = [i + 1]
    for (const [j, b] of [...to].entries()) {
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (a === b ? 0 : 1)))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

/** How a word is compared: case and the choice of separator are the commonest slips and cost nothing. */
const plain = (word: string): string => word.toLowerCase().replaceAll(/[-. ]/g, '_')

/** The candidate that was probably meant: at most a third of its letters differ. */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, far: distance(plain(word), plain(candidate)) }))
    .filter(({ candidate, far }) => far <= Math.max(1, Math.floor(candidate.length / 3)))
  return ranked.toSorted((a, b) => a.far - b.far)[0]?.candidate
}

/** ` Did you mean "x"?`, or nothing. */
export function suggestion(word: string, candidates: readonly string[]): string {
  const meant = didYouMean(word, candidates)
  return meant === undefined ? '' : ` Did you mean "${meant}"?`
}
