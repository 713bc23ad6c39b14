import type { FuzzTarget } from './fuzz-target.ts'
import type { Kept, Results } from './results.ts'

/** What the fuzzing found, newest last: what was wrong, where it is tested now. */
const FOUND: readonly (readonly [what: string, test: string])[] = [
  ['`::/0` and other short IPv6 networks held every IPv4 address too', 'src/base/cidr.test.ts'],
  ['A field of 16 KiB of blanks between two letters took up to a second of the process, before anybody was authenticated', 'test/attack/blanks.test.ts'],
  ['Taking a session cookie away took the last byte of the cookie that stood last, if that was 0xA0 (`à`)', 'src/wire/cookies.test.ts'],
  ['`/public/..%23` was passed on; a reader that decodes first and cuts at `#` sees `/`', 'test/attack/targets.test.ts'],
  ['An informational answer of HTTP/1.0, or one that closes, was read past; llhttp ends there', 'src/faces/proxy/answer-reader.test.ts'],
  ['`Transfer-Encoding: chunked` with a tab behind it was chunked to us and no coding to llhttp', 'src/faces/proxy/answer-reader.test.ts'],
  ['Two pipelined requests, the second with a broken chunk, ended the process', 'test/attack/crash.test.ts'],
  ['CONNECT or an upgrade behind pipelined requests was answered before them, and each such connection left requests in flight for ever', 'test/attack/pipelining.test.ts'],
  ['A published key of `kty: __proto__` took the other keys of its set with it', 'src/authenticators/key-set.test.ts'],
]

const INTRODUCTION = `# Fuzzing

This page is generated from the results that are kept: \`npm run docs\`. Every target has an oracle that says more than "it did not crash": a
second parser, another library, or a model that was written by other means. A case in process may take 100 ms of the processor, three
times in a row; inputs have up to 16 KiB.

    npm run fuzz                                      # one more batch of every target
    npm run fuzz -- --minutes 30                      # for so long, always what has had the least for its weight
    npm run fuzz -- --target jwts --runs 1000000      # so many more cases of one target
    npm run fuzz -- --target jwts --seed 17           # that batch again; keeps nothing

A run goes on where the last one stopped: each batch is one seed of fast-check, and counts and seeds are kept in
\`test/fuzz/results.json\`. A disagreement ends the batch, is shrunk, and printed with the command that makes it again. Every build runs a
part of one batch of each target.
`

const number = (value: number): string => String(value).replaceAll(/\B(?=(\d{3})+$)/g, ',')

const shares = (verdicts: Kept['verdicts'], cases: number): string => Object.entries(verdicts).toSorted(([, a], [, b]) => b - a).map(([word, count]) => `${word} ${(100 * count / cases).toFixed(count / cases < 0.01 ? 2 : 0)} %`).join(', ')

function row({ name, verdicts }: FuzzTarget, kept: Kept | undefined): string {
  if (!kept) return `| \`${name}\` | 0 | | ${verdicts.join(', ')} |`
  return `| \`${name}\` | ${number(kept.cases)} | ${kept.firstSeed} to ${kept.nextSeed - 1} | ${shares(kept.verdicts, kept.cases)} |`
}

function section(title: string, targets: readonly FuzzTarget[], results: Results): string[] {
  const all = targets.reduce((sum, { name }) => sum + (results[name]?.cases ?? 0), 0)
  return [`\n## ${title}: ${number(all)} cases\n`, '| Target | Cases | Seeds | What became of them |', '|---|---|---|---|', ...targets.map((target) => row(target, results[target.name]))]
}

/** `docs/fuzzing.md`: the targets, their oracles, and what has been run. */
export function fuzzingDocument(targets: readonly FuzzTarget[], results: Results): string {
  const days = Object.values(results).flatMap(({ since, until }) => [since, until]).toSorted()
  return [
    INTRODUCTION,
    '## Targets\n',
    '| Target | What is fed | What it is held against |',
    '|---|---|---|',
    ...targets.map(({ name, subject, oracle }) => `| \`${name}\` | ${subject.replaceAll('|', String.raw`\|`)} | ${oracle.replaceAll('|', String.raw`\|`)} |`),
    ...section('In process', targets.filter(({ where }) => where === 'in process'), results),
    ...section('Over sockets', targets.filter(({ where }) => where === 'sockets'), results),
    ...(days.length > 0 ? [`\nFrom ${days[0]} to ${days.at(-1)}. Counts are over all versions of the code within that time. A case over sockets is one connection, with up to four requests on it.`] : []),
    '\n## Found\n',
    '| What | Tested in |',
    '|---|---|',
    ...FOUND.map(([what, test]) => `| ${what} | \`${test}\` |`),
    '',
  ].join('\n')
}
