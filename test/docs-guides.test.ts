import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** The configs that say where their guide is. */
const GUIDED = readdirSync(join(ROOT, 'config'))
  .filter((name) => name.endsWith('.yaml') && read(`config/${name}`).includes('Guide: docs/guides/'))
  .map((name) => name.replace('.yaml', ''))

/** Variables of a config, comments left out, each with its default: undefined when there is none, empty when it may be unset. */
function variablesOf(name: string): Map<string, string | undefined> {
  const found = new Map<string, string | undefined>()
  const active = read(`config/${name}.yaml`).split('\n').map((line) => line.replace(/(^|\s)#.*$/, '')).join('\n')
  for (const [, variable = '', operator, text] of active.matchAll(/\$\{([A-Z][A-Z0-9_]*)(?:(:[-+])([^${}]*))?/g)) {
    // `:+` says nothing about a default, and of several the one with a text is it.
    const fallback = operator === ':-' ? text : operator === ':+' ? found.get(variable) : undefined
    if (!found.has(variable) || (fallback !== undefined && fallback !== '')) found.set(variable, fallback)
  }
  return found
}

interface Row { readonly variables: readonly string[]; readonly rest: string }

/** Rows of the table below `## Environment`. */
function rowsOf(name: string): Row[] {
  const section = read(`docs/guides/${name}.md`).split(/^## /m).find((part) => part.startsWith('Environment')) ?? ''
  return section.split('\n').filter((line) => line.startsWith('| `')).map((line) => {
    const [, first = '', ...others] = line.split('|')
    return { variables: [...first.matchAll(/`([A-Z][A-Z0-9_]*)`/g)].map(([, variable = '']) => variable), rest: others.join('|') }
  })
}

describe('the guides', () => {
  it('there is one for each of the five APIs', () => {
    expect(GUIDED.toSorted()).toEqual(['alphapy', 'myweave', 'nextauth-dashboard', 'sophosic', 'xentropy'])
  })

  it('the index lists every guide, and nothing else', () => {
    const linked = [...read('docs/guides/README.md').matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, file]) => file)
    expect(linked.toSorted()).toEqual(readdirSync(join(ROOT, 'docs/guides')).filter((file) => file !== 'README.md').toSorted())
  })
})

describe.each(GUIDED)('the guide of %s', (name) => {
  it('names the variables of the config, all of them and no other', () => {
    expect(rowsOf(name).flatMap(({ variables }) => variables).toSorted()).toEqual([...variablesOf(name).keys()].toSorted())
  })

  it('as the head of the config does', () => {
    const head = read(`config/${name}.yaml`).split('\nversion:')[0]?.split('Environment:')[1] ?? ''
    expect([...head.matchAll(/\b[A-Z][A-Z0-9_]+\b/g)].map(([variable]) => variable).toSorted()).toEqual([...variablesOf(name).keys()].toSorted())
  })

  it('gives each the default that the config gives it', () => {
    const variables = variablesOf(name)
    for (const { variables: named, rest } of rowsOf(name)) {
      for (const variable of named) {
        const fallback = variables.get(variable)
        if (fallback !== undefined && fallback !== '') expect(rest, variable).toContain(`\`${fallback}\``)
      }
    }
  })

  it('says what to do in steps, what the API sees, what differs and what to watch', () => {
    const headings = [...read(`docs/guides/${name}.md`).matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
    for (const heading of ['Environment', 'Try it']) expect(headings).toContain(heading)
    expect(headings.filter((heading) => /sees|differs|watch/.test(heading ?? '')).length).toBe(3)
  })

  it('links to files that exist', () => {
    for (const [, target = ''] of read(`docs/guides/${name}.md`).matchAll(/\]\((\.\.\/[^)#]+)\)/g)) expect(existsSync(join(ROOT, 'docs/guides', target)), target).toBe(true)
  })
})
