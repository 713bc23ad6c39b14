import type { CredentialLocation, Extraction } from '../model/credential.ts'
import type { Challenge } from '../model/denial.ts'
import type { Authenticator } from '../model/ports.ts'
import type { HeaderMap } from '../model/request.ts'
import { objectOf, type Answered, type Authority } from './authority.ts'
import { cookiesOf } from './carriers.ts'
import { identify } from './identify.ts'
import { identityClaimsOf, valueAt, type IdentityPointers } from './identity-claims.ts'
import type { Verdict, VerdictCache } from './verdict-cache.ts'

export interface RemoteSettings {
  readonly id: string
  readonly authority: Authority
  readonly url: string
  readonly method: 'GET' | 'POST'
  /** Sent on when present; one of them must be. Lower-case header names, exact cookie names. */
  readonly credentials: readonly CredentialLocation[]
  /** Lower-case names of headers that ride along, such as a tenant. They prove nothing by themselves and stay where they are. */
  readonly companions: readonly string[]
  /** Ours, such as a key for the checking service. */
  readonly headers: Readonly<Record<string, string>>
  readonly pointers: IdentityPointers
  /** Attribute name to JSON pointer; undefined: every member of the answer. */
  readonly attributes?: ReadonlyMap<string, string>
  readonly cache: VerdictCache
  readonly challenge: Challenge
  readonly forwardCredential: 'keep' | 'strip'
}

/** One field of the check request, as the client sent it. */
type Field = readonly [kind: CredentialLocation['kind'], name: string, value: string]

const MAX_LENGTH = 16_384
const FIELD_TEXT = /^[\x20-\x7e]+$/

function valuesAt({ kind, name }: CredentialLocation, headers: HeaderMap): readonly string[] {
  const values = kind === 'cookie' ? cookiesOf(headers).get(name) : headers.get(name)
  return (values ?? []).map((value) => value.trim()).filter((value) => value !== '')
}

/** Everything that goes into the question is part of the credential's text, so that an answer is kept for exactly that question. */
function extract({ credentials, companions }: RemoteSettings, headers: HeaderMap): Extraction {
  const fields: Field[] = []
  const locations: CredentialLocation[] = []
  for (const location of [...credentials, ...companions.map((name) => ({ kind: 'header', name }) as const)]) {
    const [value, second] = valuesAt(location, headers)
    if (value === undefined) continue
    if (second !== undefined) return { kind: 'ambiguous', location }
    if (!FIELD_TEXT.test(value)) return { kind: 'malformed', location }
    fields.push([location.kind, location.name, value])
    if (credentials.includes(location)) locations.push(location)
  }
  const [first] = locations
  if (!first) return undefined
  const value = JSON.stringify(fields)
  return value.length > MAX_LENGTH ? { kind: 'malformed', location: first } : { kind: 'credential', value, locations }
}

function headersFor(credential: string, own: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  // Written by `extract`.
  const fields = JSON.parse(credential) as readonly Field[]
  const cookies = fields.filter(([kind]) => kind === 'cookie').map(([, name, value]) => `${name}=${value}`)
  const headers = fields.filter(([kind]) => kind === 'header').map(([, name, value]) => [name, value] as const)
  return { ...Object.fromEntries(headers), ...(cookies.length > 0 ? { cookie: cookies.join('; ') } : {}), ...own }
}

function verdictOn({ status, json }: Answered, { authority, pointers }: RemoteSettings): Verdict {
  if (status === 401 || status === 403) return { kind: 'rejected', reason: 'remote_rejected' }
  if (status >= 300) return authority.unavailable(`answered ${status}`)
  const document = objectOf(json)
  if (!document) return authority.unavailable(`answered ${status} without a JSON object`)
  // A 2xx that names nobody says nothing: `200 {"error": …}` is not a login (T46).
  return identityClaimsOf(document, pointers).subject === undefined ? authority.unavailable(`answered ${status} without a subject`) : { kind: 'known', claims: document }
}

/** Any checking service: chosen headers and cookies go to a URL, a 2xx with a subject means yes, 401 and 403 mean no. */
export function createRemoteAuthenticator(settings: RemoteSettings): Authenticator {
  const { id, authority, url, method, cache, pointers } = settings
  const attributesOf = (document: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
    settings.attributes ? Object.fromEntries([...settings.attributes].map(([name, pointer]) => [name, valueAt(document, pointer)])) : document

  return {
    id,
    kind: 'remote',
    challenge: settings.challenge,
    carriers: settings.credentials,
    forwardCredential: settings.forwardCredential,
    extract: (request) => extract(settings, request.headers),
    verify: async (credential, now) => {
      const verdict = await cache.verdictOf(credential, now, async () => {
        const answer = await authority.ask({ url, method, headers: headersFor(credential.value, settings.headers) })
        return answer.kind === 'answered' ? verdictOn(answer, settings) : answer
      })
      if (verdict.kind !== 'known') return verdict
      return identify({ authenticatorId: id, credential, document: verdict.claims, pointers, attributes: attributesOf(verdict.claims) })
    },
  }
}
