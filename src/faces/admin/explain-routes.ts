import type { Hono } from 'hono'
import { KeyActRefused } from '../../keys/key-request.ts'
import { bodyOf, json, type AdminEnv } from './keys-routes.ts'
import { readQuery, type MemberSorts } from './request-members.ts'

/** A request as somebody sketches it. Credentials in it are looked at and forgotten. */
export interface TriedRequest {
  readonly method: string
  readonly path: string
  readonly host?: string | undefined
  /** Address of the client. */
  readonly ip?: string | undefined
  readonly https?: boolean | undefined
  readonly token?: string | undefined
  readonly key?: string | undefined
  readonly cookies?: readonly string[] | undefined
  /** `Name: value`. */
  readonly headers?: readonly string[] | undefined
}

/** What the pipe says of it: nothing of what was pasted is in there. */
export interface Explained {
  /** For programs: the same as `postern explain --json`. */
  readonly data: Readonly<Record<string, unknown>>
  /** For people: the trace, line by line. */
  readonly text: string
}

export interface ExplainRoutesOptions {
  /** Runs a request through the pipe of the running config: counts nothing and asks no upstream. @throws {KeyActRefused} when it has not the form of one */
  readonly explain: (request: TriedRequest) => Promise<Explained>
}

export const TRIED: MemberSorts = { method: 'text', path: 'text', host: 'text', ip: 'text', https: 'flag', token: 'text', key: 'text', cookies: 'list', headers: 'list' }

function required(name: string, value: string | undefined): string {
  if (value === undefined) throw new KeyActRefused('request_invalid', `${name} – expected, as in {"method": "GET", "path": "/orders"}`)
  return value
}

/** Adds the question of what would happen to a request. */
export function addExplainRoutes(app: Hono<AdminEnv>, { explain }: ExplainRoutesOptions): void {
  app.post('/v1/explain', async (context) => {
    readQuery(context.req.url, [])
    const { text, list, flag } = await bodyOf(context, TRIED)
    const { data, text: trace } = await explain({
      method: required('method', text('method')), path: required('path', text('path')), host: text('host'), ip: text('ip'), https: flag('https'),
      token: text('token'), key: text('key'), cookies: list('cookies'), headers: list('headers'),
    })
    return json({ ...data, trace })
  })
}
