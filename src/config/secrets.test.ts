import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSecrets, readFromDisk, type Secrets } from './secrets.ts'

let directory = ''

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'postern-secrets-'))
  for (const [name, text] of [['one', 'alpha\n'], ['two', 'alpha\n\n'], ['windows', 'alpha\r\n'], ['bare', 'alpha'], ['empty', ''], ['newline', '\n'], ['open', 'alpha\n']] as const) {
    writeFileSync(join(directory, name), text, { mode: 0o600 })
  }
  chmodSync(join(directory, 'open'), 0o644)
  mkdirSync(join(directory, 'folder'))
})
afterAll(() => rmSync(directory, { recursive: true }))

const secrets = (env: NodeJS.ProcessEnv = {}): Secrets => createSecrets({ env, readFile: readFromDisk, directory })

describe('fill', () => {
  it.each([
    ['plain text', 'plain text'],
    ['${NAME}', 'value'],
    ['a-${NAME}-b', 'a-value-b'],
    ['${NAME}${NAME}', 'valuevalue'],
    ['${NAME:-other}', 'value'],
    ['${UNSET:-other}', 'other'],
    ['${UNSET:-}', ''],
    ['${UNSET:-a:-b}', 'a:-b'],
    ['${BLANK:-other}', 'other'],
    ['${BLANK}', ''],
    ['${UNSET:-${NAME}}', 'value'],
    ['x-${UNSET:-${ALSO_UNSET:-deep}}-y', 'x-deep-y'],
    ['${NAME:-${ALSO_UNSET}}', 'value'],
    ['${NAME:+is set}', 'is set'],
    ['${NAME:+${NAME}/path}', 'value/path'],
    ['${UNSET:+is set}', ''],
    ['${BLANK:+is set}', ''],
    ['$${NAME}', '${NAME}'],
    ['$${NAME} is ${NAME}', '${NAME} is value'],
    ['^[0-9]{2}$', '^[0-9]{2}$'],
    ['${file:one}', 'alpha'],
    ['${cred:bare}', 'alpha'],
  ])('turns %j into %j', (text, expected) => {
    const filled = secrets({ NAME: 'value', BLANK: '', CREDENTIALS_DIRECTORY: directory }).fill(text)
    expect(filled).toMatchObject({ text: expected, problems: [] })
  })

  it('fills the value of a variable as it is: what it contains is not read again', () => {
    expect(secrets({ NAME: '${OTHER} [x] # y' }).fill('${NAME}').text).toBe('${OTHER} [x] # y')
  })

  it.each([
    ['${UPSTREAM_ULR}', 'variable UPSTREAM_ULR is not set; set it, or write "${UPSTREAM_ULR:-default}". Did you mean "UPSTREAM_URL"?'],
    ['${a b}', '"${a b}" – expected ${NAME}, ${NAME:-default}, ${file:/path} or ${cred:name}'],
    ['${}', '"${}" – expected ${NAME}, ${NAME:-default}, ${file:/path} or ${cred:name}'],
    ['${NAME', '"${NAME" – the reference has no closing brace; write $${ for a literal ${'],
    ['${A:-${B}}', 'variable B is not set; set it, or write "${B:-default}".'],
    ['${A:-${B:-c}', '"${A:-${B:-c}" – the reference has no closing brace; write $${ for a literal ${'],
    ['${file:nowhere}', 'file nowhere does not exist'],
    ['${file:folder}', 'file folder is a directory, not a file'],
    ['${file:empty}', 'file empty is empty'],
    ['${file:newline}', 'file newline is empty'],
    ['${cred:one}', 'credential one cannot be found: CREDENTIALS_DIRECTORY is not set. Use LoadCredential= in the systemd unit'],
    ['${cred:../one}', '"${cred:../one}" – expected the name of a systemd credential, letters, digits, dots and dashes'],
  ])('refuses %j and says why', (text, problem) => {
    expect(secrets({ UPSTREAM_URL: 'x' }).fill(text).problems).toEqual([problem])
  })

  it.each([['one', 'alpha'], ['two', 'alpha\n'], ['windows', 'alpha'], ['bare', 'alpha']])('strips one trailing newline of a file, not more (%s)', (name, expected) => {
    expect(secrets().fill(`\${file:${name}}`).text).toBe(expected)
  })

  it('warns of a file that everybody may read', () => {
    expect(secrets().fill('${file:one}').warnings).toEqual([])
    expect(secrets().fill('${file:open}').warnings).toEqual(['file open is readable by every account of this machine; chmod 0400 it'])
  })

  it('remembers every file that was named, also one that does not exist yet', () => {
    const one = secrets()
    one.fill('${file:one}')
    one.fill('${file:nowhere}')
    expect([...one.files.keys()]).toEqual([join(directory, 'one'), join(directory, 'nowhere')])
  })

  it('says which values came from references, so that they are never shown', () => {
    expect(secrets({ A: 'x' }).fill('${A}').referred).toBe(true)
    expect(secrets().fill('$${A}').referred).toBe(false)
  })
})
