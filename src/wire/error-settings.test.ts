import { describe, expect, test } from 'vitest'
import { errorSettings, ErrorSettingsError, type ErrorSettingsInput } from './error-settings.ts'

function mistakes(input: Partial<ErrorSettingsInput>): readonly { path: readonly (string | number)[]; message: string }[] {
  try {
    errorSettings({ errors: { codes: {} }, explain: false, typeBase: '', ...input })
  } catch (error) {
    if (error instanceof ErrorSettingsError) return error.mistakes
    throw error
  }
  return []
}

describe('templates that cannot work are mistakes, each with its path in the config', () => {
  test.each([
    ['an unknown placeholder in the shape', { errors: { shape: { error: ['{{mesage}}'] }, codes: {} } }, 'errors.shape.error.0', '{{mesage}}'],
    ['one in an extra', { errors: { codes: { quota_exceeded: { extra: { after: '{{retryAfter}}' } } } } }, 'errors.codes.quota_exceeded.extra.after', '{{retry_after}}'],
    ['one in a body', { errors: { codes: { '401': { body: '{{nope}}' } } } }, 'errors.codes.401.body', '{{nope}}'],
    ['one of an authenticator', { authenticators: { keys: { errors: { credential_rejected: { body: { a: '{{nope}}' } } } } } }, 'authenticators.keys.errors.credential_rejected.body.a', '{{nope}}'],
    ['a code that does not exist', { errors: { codes: { invalid_credentials: { message: 'x' } } } }, 'errors.codes.invalid_credentials', 'credential_rejected'],
    ['a status that is no refusal', { errors: { codes: { '200': { message: 'x' } } } }, 'errors.codes.200', 'expected a status'],
    ['a placeholder where it would never be filled in', { errors: { codes: { '401': { message: 'wait {{retry_after}}' } } } }, 'errors.codes.401.message', 'placeholders stand in'],
    ['extra beside body', { errors: { codes: { '401': { extra: { a: 1 }, body: {} } } } }, 'errors.codes.401.extra', 'whole body'],
    ['extra without an object to add to', { errors: { shape: '{{message}}', codes: { '401': { extra: { a: 1 } } } } }, 'errors.codes.401.extra', 'not an object'],
  ] as [string, Partial<ErrorSettingsInput>, string, string][])('%s', (_title, input, path, message) => {
    const found = mistakes(input)
    expect(found.map((mistake) => mistake.path.join('.'))).toEqual([path])
    expect(found[0]?.message).toContain(message)
  })

  test('all of them are found at once', () => {
    expect(mistakes({ errors: { shape: ['{{a}}'], codes: { '401': { body: '{{b}}' }, nope: {} } } })).toHaveLength(3)
  })
})

test('nothing configured is nothing overridden', () => {
  const settings = errorSettings({ errors: { codes: {} }, authenticators: { keys: {} }, explain: true, typeBase: 'x:' })
  expect(settings).toEqual({ overrides: new Map(), byAuthenticator: new Map(), explain: true, typeBase: 'x:' })
})
