import type { CredentialLocation, Extraction } from '../model/credential.ts'
import type { RequestDescription } from '../model/request.ts'
import { cookiesOf, createExtract, type Carrier } from './carriers.ts'
import { supabaseCookie } from './supabase-cookie.ts'
import { looksLikeToken } from './token-shape.ts'

export interface SupabaseCarriers {
  /** In order; a cookie's name is the session cookie's, without a chunk suffix. */
  readonly carriers: readonly Carrier[]
  /** Values that count as nothing, such as the anon key that the client libraries send while nobody is logged in. */
  readonly ignored: ReadonlySet<string>
  readonly maxTokenLength: number
}

type Extract = (request: RequestDescription) => Extraction

function extractorOf(carrier: Carrier, { ignored, maxTokenLength }: SupabaseCarriers): Extract {
  if (carrier.kind === 'cookie') {
    return ({ headers }) => {
      const found = supabaseCookie(cookiesOf(headers), carrier.name)
      const location: CredentialLocation = { kind: 'cookie', name: carrier.name }
      return found?.kind === 'credential' && !looksLikeToken(found.value, maxTokenLength) ? { kind: 'malformed', location } : found
    }
  }
  const extract = createExtract([carrier], (value) => ignored.has(value) || looksLikeToken(value, maxTokenLength))
  return (request) => {
    const found = extract(request)
    return found?.kind === 'credential' && ignored.has(found.value) ? undefined : found
  }
}

/** The rule of every authenticator: a repeated carrier is ambiguous wherever it stands, else the first that holds something of this kind decides. */
export function createSupabaseExtract(settings: SupabaseCarriers): Extract {
  const extractors = settings.carriers.map((carrier) => extractorOf(carrier, settings))
  return (request) => {
    const all = extractors.map((extract) => extract(request)).filter((found) => found !== undefined)
    return all.find(({ kind }) => kind === 'ambiguous') ?? all.find(({ kind }) => kind !== 'foreign') ?? all[0]
  }
}
