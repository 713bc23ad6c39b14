import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../src/config/load.ts'
import { ConfigFileError } from '../src/config/mistake.ts'
import { formatMistakes, formatSummary } from '../src/config/report.ts'

/**
 * Each file: a config, a line of dashes, and exactly what is printed about it. `# env NAME=value` lines of the config set variables.
 * `UPDATE_GOLDEN=1` writes the answers anew; read the difference before you believe it.
 */
const FOLDER = join(import.meta.dirname, 'golden', 'config')
const DASHES = '\n----------------------------------------\n'

function printed(config: string): string {
  const env = Object.fromEntries([...config.matchAll(/^# env (\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]))
  const readFile = (path: string): { text: string; worldReadable: boolean } => {
    if (path.endsWith('postern.yaml')) return { text: config, worldReadable: false }
    if (path.endsWith('/run/secrets/open')) return { text: 'secret-text-of-the-file\n', worldReadable: true }
    throw Object.assign(new Error('not there'), { code: 'ENOENT' })
  }
  try {
    return formatSummary(loadConfig({ file: 'postern.yaml', env, readFile }))
  } catch (error) {
    if (!(error instanceof ConfigFileError)) throw error
    return formatMistakes(error.mistakes)
  }
}

const files = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'))

describe('what is printed about a config', () => {
  it.each(files)('%s', (name) => {
    const path = join(FOLDER, name)
    const [config = '', expected = ''] = readFileSync(path, 'utf8').split(DASHES)
    const answer = printed(`${config}\n`)
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, `${config}${DASHES}${answer}`)
    else expect(answer).toBe(expected)
  })

  it('covers at least fifty mistakes, each with a line and a column', () => {
    const answers = files.map((name) => readFileSync(join(FOLDER, name), 'utf8').split(DASHES)[1] ?? '')
    expect(answers.join('').match(/^postern\.yaml:\d+:\d+ /gm)?.length).toBeGreaterThanOrEqual(50)
  })

  it('marks every planted mistake: the line that is named holds the words that are named', () => {
    for (const name of files) {
      const [config = '', answer = ''] = readFileSync(join(FOLDER, name), 'utf8').split(DASHES)
      const lines = config.split('\n')
      const planted = lines.flatMap((line, index) => (/# ✗/.test(line) ? [index + 1] : []))
      const named = new Set([...answer.matchAll(/^postern\.yaml:(\d+):/gm)].map(([, line]) => Number(line)))
      expect(planted.filter((line) => !named.has(line)), `${name}: lines planted but not named`).toEqual([])
      if (/ errors?\. Nothing/.test(answer)) expect([...named].filter((line) => !planted.includes(line)), `${name}: lines named but not planted`).toEqual([])
    }
  })
})
