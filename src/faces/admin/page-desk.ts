import type { Context } from 'hono'
import { KeyActRefused } from '../../keys/key-request.ts'
import { PAGE_HEADERS } from '../../wire/page.ts'
import type { Form } from './form.ts'
import type { AdminEnv } from './keys-routes.ts'
import type { Frame, Note } from './page-views.ts'

type Fields = readonly (readonly [name: string, value: string])[]

/** How a page is added: something to look at, or an act, whose form must have the secret of the session. */
export interface PageDesk {
  readonly show: (path: string, render: (context: Context<AdminEnv>, frame: Frame) => string | Promise<string>, headers?: Fields) => void
  /** @param current  the tab that it belongs to */
  readonly act: (path: string, current: string, work: (form: Form, context: Context<AdminEnv>, frame: Frame) => Response | Promise<Response>) => void
}

export const pageResponse = (body: string, status = 200, headers: Fields = []): Response => new Response(body, { status, headers: [...PAGE_HEADERS, ...headers].map(([name, value]) => [name, value]) })

export const seeOther = (location: string, headers: Fields = []): Response => pageResponse('', 303, [['Location', location], ...headers])

/** A field that was filled in. */
export const filled = (form: Form, name: string): string | undefined => (form.get(name) === '' ? undefined : form.get(name))

/** What work says; a refusal is said, too. */
export async function orNote(work: () => Promise<Note>): Promise<Note> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof KeyActRefused) return { words: error.message, bad: true }
    throw error
  }
}
