import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { SignJWT, exportSPKI, importJWK, type JWK } from 'jose'
import { startEchoUpstream, type EchoUpstream } from '../support/echo-upstream.ts'
import type { GoTrue } from '../support/gotrue.ts'

export interface Asked {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** Parsed, or undefined when it is not JSON. */
  readonly json: unknown
}

export interface Ask {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** One request as a client makes it, with repeated headers where a list is given. Not `fetch`, which hides and repairs headers. */
export function ask(origin: string, path: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Asked> {
  const { hostname, port } = new URL(origin)
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ hostname, port, path, method, headers: headers as Record<string, string | string[]>, agent: false }, (incoming) => {
      let text = ''
      incoming.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: text, json: parsed(text) }))
      incoming.on('error', reject)
    })
    outgoing.on('error', reject).end(body)
  })
}

/** The guarded API: answers 200 with what it saw, and counts. */
export const startApi = (): Promise<EchoUpstream> => startEchoUpstream()

/** Headers of the request that the API saw last. */
export const lastSeen = (api: EchoUpstream): IncomingHttpHeaders => api.seen.at(-1)?.headers ?? {}

export const USER_ID = '11111111-1111-4111-8111-111111111111'

export interface Tokens {
  readonly ok: string
  readonly expired: string
  /** Of another project: unknown key, other issuer. */
  readonly other: string
  readonly none: string
  /** HS256 signed with the public key as if it were a secret. */
  readonly confused: string
  /** The project's anon key. */
  readonly anon: string
  readonly flipped: string
}

const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The tokens of the black-box cases, from one emulated project and a stranger. */
export async function mintTokens(project: GoTrue, stranger: GoTrue): Promise<Tokens> {
  const account = project.accounts.add({ id: USER_ID, email: 'dev@example.com' })
  const ok = await project.accessToken(account)
  const [, payload = ''] = ok.split('.')
  const keys = (await (await fetch(`${project.issuer}/.well-known/jwks.json`)).json()) as { keys: JWK[] }
  const pem = await exportSPKI((await importJWK(keys.keys[0] as JWK, 'ES256', { extractable: true })) as CryptoKey)
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
  const now = Math.floor(Date.now() / 1000)
  return {
    ok,
    expired: await project.accessToken(account, { iat: now - 7_200, exp: now - 3_600 }),
    other: await stranger.accessToken(stranger.accounts.add({ id: USER_ID })),
    none: `${b64({ alg: 'none', typ: 'JWT' })}.${payload}.`,
    confused: await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(pem)),
    anon: project.anonKey,
    flipped: flip(ok),
  }
}

/** The same token with one byte of the signature changed, still well-formed. */
export function flip(token: string): string {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  bytes[10] = (bytes[10] ?? 0) ^ 1
  return `${header}.${payload}.${bytes.toString('base64url')}`
}
