import type { BodyTemplate, ErrorOverride, ErrorSettings } from '../model/gateway.ts'
import { PROBLEMS } from './problems.ts'
import { compileJsonTemplate, TemplateError } from './template.ts'

type Path = readonly (string | number)[]

/** One entry of `errors.codes`, as the config writes it. */
export interface ErrorTexts {
  readonly status?: number | undefined
  readonly code?: string | undefined
  readonly title?: string | undefined
  readonly message?: string | undefined
  readonly extra?: Readonly<Record<string, unknown>> | undefined
  readonly body?: unknown
}

type Entries = Readonly<Record<string, ErrorTexts>>

export interface ErrorSettingsInput {
  readonly errors: { readonly shape?: unknown; readonly codes: Entries }
  /** By authenticator id; the `authenticators` of a config fit as they are. */
  readonly authenticators?: Readonly<Record<string, { readonly errors?: Entries | undefined }>> | undefined
  readonly explain: boolean
  readonly typeBase: string
}

/** Everything that is wrong with the templates, each with its path from the root of the config. */
export class ErrorSettingsError extends Error {
  readonly mistakes: readonly { readonly path: Path; readonly message: string }[]
  constructor(mistakes: readonly { readonly path: Path; readonly message: string }[]) {
    super(mistakes.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n'))
    this.name = 'ErrorSettingsError'
    this.mistakes = mistakes
  }
}

/** What a body template may name. `retry_after` has a value only where there is a Retry-After. */
export const PLACEHOLDERS = ['status', 'status_text', 'code', 'title', 'message', 'retry_after', 'request_id'] as const

const STATUS = /^[45]\d\d$/

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Collects mistakes instead of stopping at the first, so that one run of `check` shows them all. */
function createCompiler(shape: unknown) {
  const mistakes: { path: Path; message: string }[] = []

  function template(json: unknown, path: Path): BodyTemplate | undefined {
    try {
      return compileJsonTemplate(json, PLACEHOLDERS)
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error
      mistakes.push({ path: [...path, ...error.path], message: error.message })
      return undefined
    }
  }

  function checkTexts(texts: ErrorTexts, path: Path): void {
    for (const name of ['code', 'title', 'message'] as const) {
      if (texts[name]?.includes('{{')) mistakes.push({ path: [...path, name], message: 'placeholders stand in `shape`, `extra` and `body`; this text is what they are filled with' })
    }
    if (texts.extra !== undefined && texts.body !== undefined) mistakes.push({ path: [...path, 'extra'], message: '`body` is the whole body – write the members there' })
    else if (texts.extra !== undefined && shape !== undefined && !isObject(shape)) mistakes.push({ path: [...path, 'extra'], message: '`errors.shape` is not an object, so there is nothing to add members to' })
  }

  function override(texts: ErrorTexts, path: Path): ErrorOverride {
    checkTexts(texts, path)
    const { status, code, title, message } = texts
    const extra = texts.extra === undefined ? undefined : template(texts.extra, [...path, 'extra'])
    const body = texts.body === undefined ? undefined : template(texts.body, [...path, 'body'])
    return {
      ...(status === undefined ? {} : { status }), ...(code === undefined ? {} : { code }),
      ...(title === undefined ? {} : { title }), ...(message === undefined ? {} : { message }),
      ...(extra ? { extra } : {}), ...(body ? { body } : {}),
    }
  }

  function overrides(entries: Entries, path: Path): ReadonlyMap<string, ErrorOverride> {
    return new Map(Object.entries(entries).map(([key, texts]) => {
      if (!Object.hasOwn(PROBLEMS, key) && !STATUS.test(key)) mistakes.push({ path: [...path, key], message: `${JSON.stringify(key)} – expected a status such as "401" or one of ${Object.keys(PROBLEMS).join(', ')}` })
      return [key, override(texts, [...path, key])] as const
    }))
  }

  return { mistakes, template, overrides }
}

/**
 * Compiles the `errors` of a config and those of its authenticators.
 *
 * @throws {ErrorSettingsError} with every placeholder, code and combination that cannot work
 */
export function errorSettings({ errors, authenticators = {}, explain, typeBase }: ErrorSettingsInput): ErrorSettings {
  const compiler = createCompiler(errors.shape)
  const shape = errors.shape === undefined ? undefined : compiler.template(errors.shape, ['errors', 'shape'])
  const overrides = compiler.overrides(errors.codes, ['errors', 'codes'])
  const byAuthenticator = new Map<string, ReadonlyMap<string, ErrorOverride>>()
  for (const [id, authenticator] of Object.entries(authenticators)) {
    if (authenticator.errors) byAuthenticator.set(id, compiler.overrides(authenticator.errors, ['authenticators', id, 'errors']))
  }
  if (compiler.mistakes.length > 0) throw new ErrorSettingsError(compiler.mistakes)
  return { ...(shape ? { shape } : {}), overrides, byAuthenticator, explain, typeBase }
}
