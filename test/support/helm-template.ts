import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'

/**
 * The part of Helm's template language that the chart is allowed to use, and nothing else: `{{ .Values.a.b | toJson }}`, and
 * `{{- if .Values.a.b }}` up to `{{- end }}`. Anything else, and a value that does not exist, is an error.
 */

type Values = Readonly<Record<string, unknown>>

const VALUE = /^\.Values\.([A-Za-z]+(?:\.[A-Za-z]+)*)$/

function valueAt(path: string, values: Values): unknown {
  const names = VALUE.exec(path)?.[1]?.split('.')
  if (names === undefined) throw new Error(`not understood: ${path}`)
  return names.reduce<unknown>((value, name) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) throw new Error(`no such value: ${path}`)
    return Object.entries(value).find(([key]) => key === name)?.[1]
  }, values)
}

/** What Go's templates take for false. */
const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === false || value === 0 || value === '' || (typeof value === 'object' && Object.keys(value).length === 0)

/** Renders one template. Throws on every construct but the two. */
export function renderTemplate(text: string, values: Values): string {
  const open: boolean[] = []
  let rendered = ''
  const [first = '', ...parts] = text.split('{{')
  rendered += first
  for (const part of parts) {
    const end = part.indexOf('}}')
    if (end === -1) throw new Error('an action is not closed')
    const trims = part.startsWith('- ')
    const action = part.slice(trims ? 2 : 0, end).trim()
    if (trims) rendered = rendered.trimEnd()
    if (action === 'end') {
      if (open.pop() === undefined) throw new Error('an end without an if')
    } else if (action.startsWith('if ')) {
      open.push(!isEmpty(valueAt(action.slice(3).trim(), values)))
    } else {
      const [path = '', filter, ...others] = action.split('|').map((piece) => piece.trim())
      if (filter !== 'toJson' || others.length > 0 || trims) throw new Error(`not understood: ${action}`)
      const value = valueAt(path, values)
      if (!open.includes(false)) rendered += JSON.stringify(value)
    }
    if (!open.includes(false)) rendered += part.slice(end + 2)
  }
  if (open.length > 0) throw new Error('an if is not closed')
  return rendered
}

/** Renders every template of a chart with its values.yaml and what is put over it. */
export function renderChart(folder: string, over: Values): unknown[] {
  const values = { ...(parse(readFileSync(join(folder, 'values.yaml'), 'utf8')) as Values), ...over }
  const templates = join(folder, 'templates')
  return readdirSync(templates).toSorted().flatMap((name) =>
    parseAllDocuments(renderTemplate(readFileSync(join(templates, name), 'utf8'), values)).map((document) => {
      if (document.errors.length > 0) throw new Error(`${name}: ${String(document.errors[0])}`)
      return document.toJS() as unknown
    }).filter((manifest) => manifest !== null))
}
