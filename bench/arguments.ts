/** The value behind `--name` on the command line. */
export function textArgument(name: string, fallback: string): string {
  const index = process.argv.indexOf(`--${name}`)
  return index === -1 ? fallback : (process.argv[index + 1] ?? fallback)
}

export const numberArgument = (name: string, fallback: number): number => Number(textArgument(name, String(fallback)))

export const flag = (name: string): boolean => process.argv.includes(`--${name}`)

/** The value in the middle; of an even count the upper one. */
export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
