import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGoTrue, type GoTrue } from '../support/gotrue.ts'
import { startPostern, type RunningPostern } from '../support/running-postern.ts'
import { USER_ID } from './asking.ts'

const LOGIN = { email: 'dev@example.com', password: 'correct horse' }
const CHUNKS = ['data: one\n\n', 'data: two\n\n', 'data: three\n\n']
const PAUSE_MS = 200

/** Three events with pauses between them, as a function that talks to a model sends them. */
const streaming: RequestListener = (request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'text/event-stream', 'x-seen-user': String(request.headers['x-auth-user-id'] ?? ''), 'x-seen-authorization': request.headers.authorization === undefined ? 'no' : 'yes' })
  void (async () => {
    for (const chunk of CHUNKS) {
      response.write(chunk)
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
    response.end()
  })()
}

/** How the client library meets one of the shipped configs. */
interface Meeting {
  readonly config: string
  /** What an operator adds to let the library ask who it is and sign out; the documents name only the grants. */
  readonly account: string
  /** The route that it has to stand before. */
  readonly before: string
  /** Where the library thinks that the project is. */
  readonly base: (postern: RunningPostern) => string
}

const MEETINGS: readonly Meeting[] = [
  {
    config: 'config/myweave.yaml',
    before: '  - name: auth\n',
    account: '  - name: account\n    match: { path: [/auth/v1/user, /auth/v1/logout] }\n    auth: { all: [publishable, user] }\n    upstream: auth\n',
    base: ({ url }) => url,
  },
  {
    config: 'config/xentropy.yaml',
    before: '  - name: auth\n',
    account: '  - name: account\n    match: { path: [/api/auth/v1/user, /api/auth/v1/logout] }\n    auth: session\n    upstream: supabase\n    rewrite: { strip_prefix: /api }\n    request_headers: { set: { apikey: "${SUPABASE_ANON_KEY}" } }\n',
    base: ({ url }) => `${url}/api`,
  },
]

let folder: string
let project: GoTrue
let app: Server
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-supabase-js-'))
  project = await startGoTrue()
  project.accounts.add({ id: USER_ID, ...LOGIN })
  app = createServer(streaming)
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  app.closeAllConnections()
  app.close()
  await project.close()
  rmSync(folder, { recursive: true })
})

/** A Postern with the shipped file, or with the one that has the account route as well. */
async function meet({ config, account, before }: Meeting, extended: boolean): Promise<{ postern: RunningPostern; apiKey: string }> {
  const shipped = readFileSync(config, 'utf8')
  expect(shipped.split(before).length).toBe(2)
  const own = join(folder, `${extended ? 'extended' : 'shipped'}-${config.split('/')[1]}`)
  writeFileSync(own, extended ? shipped.replace(before, () => account + before) : shipped)
  mkdirSync(join(folder, 'store'), { recursive: true })
  const store = join(folder, 'store', `${config.length}-${extended}.db`)
  const postern = await startPostern({ config: own, env: { UPSTREAM_URL: `http://127.0.0.1:${(app.address() as AddressInfo).port}`, SUPABASE_URL: project.url, SUPABASE_ANON_KEY: project.anonKey, KEY_STORE: store, KEY_PEPPER: 'pepper-of-supabase-js', REQUIRE_HTTPS: 'false', POSTERN_DRAIN_DELAY: '0' } })
  const made = await postern.command('keys', 'create', '--config', own, '--owner', 'app', '--scopes', 'content:read', '--json')
  return { postern, apiKey: (JSON.parse(made.stdout) as { key: string }).key }
}

const clientOf = (url: string, apiKey: string): SupabaseClient =>
  createClient(url, project.anonKey, { auth: { persistSession: false, autoRefreshToken: false }, global: { headers: { 'X-API-Key': apiKey } } })

describe.each(MEETINGS)('supabase-js through $config', (meeting) => {
  it('signs in, refreshes and calls a function whose answer streams, with the file as it is shipped', async () => {
    const { postern, apiKey } = await meet(meeting, false)
    try {
      const client = clientOf(meeting.base(postern), apiKey)
      const wrong = await client.auth.signInWithPassword({ ...LOGIN, password: 'wrong' })
      expect([wrong.error?.status, wrong.error?.code]).toEqual([400, 'invalid_credentials'])
      const signedIn = await client.auth.signInWithPassword(LOGIN)
      expect([signedIn.error, signedIn.data.user?.id]).toEqual([null, USER_ID])
      const refreshed = await client.auth.refreshSession()
      expect([refreshed.error, refreshed.data.session?.refresh_token === signedIn.data.session?.refresh_token]).toEqual([null, false])

      const { data, error } = await client.functions.invoke<Response>('chat', { body: { message: 'hello' } })
      expect(error).toBeNull()
      if (!data) throw new Error('no answer')
      expect([data.headers.get('x-seen-user'), data.headers.get('x-seen-authorization')]).toEqual([USER_ID, 'yes'])
      const arrived: number[] = []
      let text = ''
      for await (const chunk of data.body!.pipeThrough(new TextDecoderStream())) {
        arrived.push(performance.now())
        text += chunk
      }
      expect(text).toBe(CHUNKS.join(''))
      expect(arrived.length).toBe(3)
      expect(arrived[2]! - arrived[0]!).toBeGreaterThan(PAUSE_MS)

      // What the document does not name is no way into the project.
      project.forget()
      expect((await client.auth.getUser()).error?.status).toBe(404)
      expect(project.seen('/auth/v1/user').length).toBe(0)
    } finally {
      await postern.stop()
    }
  })

  it('also asks who it is and signs out, once those two are routes', async () => {
    const { postern, apiKey } = await meet(meeting, true)
    try {
      const client = clientOf(meeting.base(postern), apiKey)
      expect((await client.auth.getUser()).error?.name).toBe('AuthSessionMissingError')
      const { data } = await client.auth.signInWithPassword(LOGIN)
      const token = data.session?.access_token ?? ''
      const { data: asked, error } = await client.auth.getUser()
      expect([error, asked.user?.id, asked.user?.email]).toEqual([null, USER_ID, LOGIN.email])
      expect((await client.auth.getUser(`${token.slice(0, -4)}AAAA`)).error?.status).toBe(401)
      expect((await client.auth.signOut()).error).toBeNull()
      // The library's name for what the project says of a session that was ended.
      expect((await client.auth.getUser(token)).error?.name).toBe('AuthSessionMissingError')
      expect((await client.auth.refreshSession({ refresh_token: data.session?.refresh_token ?? '' })).error?.code).toBe('refresh_token_not_found')
      for (const secret of [token, LOGIN.password, apiKey, project.anonKey]) expect(postern.output()).not.toContain(secret)
    } finally {
      await postern.stop()
    }
  })
})
