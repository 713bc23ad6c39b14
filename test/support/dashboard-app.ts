import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface SeenByApp { readonly method: string; readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: string }

/** A NextAuth application with the database strategy, as far as a guard in front of it can tell. */
export interface DashboardApp {
  readonly url: string
  /** Requests to anything but the session endpoint. */
  readonly seen: readonly SeenByApp[]
  /** Questions to the session endpoint, one per call. */
  readonly asked: readonly IncomingHttpHeaders[]
  /** Opaque cookie values that stand for somebody; as `/api/auth/session` shows them. */
  readonly sessions: Map<string, unknown>
  /** The session endpoint answers 500 while this is true. */
  readonly break: (broken: boolean) => void
  readonly close: () => Promise<void>
}

const ROLLED_OVER = 'next-auth.session-token=rolled-over; Path=/; HttpOnly; SameSite=Lax'

/** Echoes what it sees; the session endpoint answers what is known about the one cookie, `{}` otherwise, and rolls the cookie over. */
export async function startDashboardApp(): Promise<DashboardApp> {
  const seen: SeenByApp[] = []
  const asked: IncomingHttpHeaders[] = []
  const sessions = new Map<string, unknown>()
  let broken = false
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const path = request.url ?? ''
      if (path === '/api/auth/session' && request.headers['x-through-postern'] === undefined) {
        asked.push(request.headers)
        const value = /^(?:__Secure-)?(?:next-auth|authjs)\.session-token=(\S+)$/.exec(request.headers.cookie ?? '')?.[1] ?? ''
        response.writeHead(broken ? 500 : 200, { 'content-type': 'application/json', 'set-cookie': ROLLED_OVER }).end(JSON.stringify(sessions.get(value) ?? {}))
        return
      }
      const record = { method: request.method ?? '', path, headers: request.headers, body: Buffer.concat(chunks).toString() }
      seen.push(record)
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ok: true, ...record }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen, asked, sessions,
    break: (state) => {
      broken = state
    },
    close: () => new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
}
