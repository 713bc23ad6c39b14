import { withoutBlanksBehind } from '../base/blanks.ts'
import { recall, remember } from '../base/memory.ts'
import type { Credential, CredentialLocation, Extraction, Found } from '../model/credential.ts'
import type { Challenge } from '../model/denial.ts'
import type { HeaderMap, RequestDescription } from '../model/request.ts'
import { bearerOf, soleValueOf, type BearerScheme, type Held } from './bearer.ts'

/** Where an authenticator looks. Never the query: it ends up in logs, histories and Referer fields. */
export type Carrier =
  | { readonly kind: 'bearer'; readonly scheme: BearerScheme }
  | { readonly kind: 'header'; /** lower-case */ readonly name: string }
  | { readonly kind: 'cookie'; /** exact */ readonly name: string }

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/**
 * Cookies by exact name, every value as it was sent, in order; several `Cookie` lines (HTTP/2 splits them) count as one.
 *
 * Strict and small (RFC 6265 section 4.2.1): a pair without `=` or with a name that is not a token is nobody's; values are neither
 * unquoted nor percent-decoded, so that two spellings of one value stay two values. What a value may look like is its reader's to check.
 */
export function cookiesOf(headers: HeaderMap): ReadonlyMap<string, readonly string[]> {
  const cookies = new Map<string, string[]>()
  for (const line of headers.get('cookie') ?? []) {
    for (const pair of line.split(';')) {
      const equals = pair.indexOf('=')
      const name = pair.slice(0, Math.max(equals, 0)).replace(/^[ \t]+/, '')
      if (!TOKEN.test(name)) continue
      const value = withoutBlanksBehind(pair.slice(equals + 1))
      const known = cookies.get(name)
      if (known) known.push(value)
      else cookies.set(name, [value])
    }
  }
  return cookies
}

const locationOf = (carrier: Carrier): CredentialLocation =>
  carrier.kind === 'bearer' ? { kind: 'header', name: 'authorization' } : { kind: carrier.kind, name: carrier.name }

/** Every place that the carriers may be, for stripping. */
export const locationsOf = (carriers: readonly Carrier[]): readonly CredentialLocation[] => carriers.map(locationOf)

/** How a client that sent nothing is told what to send. A bearer carrier speaks RFC 6750; the other two schemes are ours. */
export function challengeOf(carriers: readonly Carrier[], realm: string): Challenge {
  if (carriers.some((carrier) => carrier.kind === 'bearer')) return { scheme: 'Bearer', parameters: [['realm', realm]] }
  const header = carriers.find((carrier) => carrier.kind === 'header')
  return header ? { scheme: 'ApiKey', parameters: [['realm', realm], ['header', header.name]] } : { scheme: 'Cookie', parameters: [['realm', realm]] }
}

interface Place { readonly carrier: Carrier; readonly location: CredentialLocation; readonly locations: readonly CredentialLocation[] }

function heldBy({ carrier }: Place, headers: HeaderMap, cookies: () => ReadonlyMap<string, readonly string[]>): Held {
  if (carrier.kind === 'bearer') return bearerOf(headers.get('authorization'), carrier.scheme)
  return soleValueOf(carrier.kind === 'header' ? headers.get(carrier.name) : cookies().get(carrier.name))
}

function foundAt(place: Place, held: NonNullable<Held>, recognises: (value: string) => boolean): NonNullable<Extraction> {
  if (held.kind !== 'held') return { kind: held.kind, location: place.location }
  return recognises(held.value) ? { kind: 'credential', value: held.value, locations: place.locations } : { kind: 'foreign', location: place.location }
}

const fieldOf = ({ kind, name }: CredentialLocation): string => (kind === 'cookie' ? 'cookie' : name)

function areSame(some: readonly string[] | undefined, others: readonly string[] | undefined): boolean {
  if (some === others || !some || !others) return some === others
  return some.length === others.length && some.every((line, index) => line === others[index])
}

/** Whether these fields still hold, letter by letter, what something was found in. */
const isFoundIn = (headers: HeaderMap, fields: readonly string[], { lines }: Found): boolean => fields.every((field, index) => areSame(headers.get(field), lines[index]))

/**
 * Builds the extraction that every kind shares. A repeated carrier is ambiguous wherever it stands in the order; otherwise the first
 * carrier that holds something of this kind decides, and something of another kind is only reported when none does.
 *
 * @param recognises  whether a value has this authenticator's shape; cheap and pure
 */
export function createExtract(carriers: readonly Carrier[], recognises: (value: string) => boolean = () => true): (request: RequestDescription) => Extraction {
  const places = carriers.map((carrier): Place => ({ carrier, location: locationOf(carrier), locations: [locationOf(carrier)] }))
  const fields = [...new Set(places.map(({ location }) => fieldOf(location)))]
  const find = (headers: HeaderMap): Extraction => {
    let cookies: ReadonlyMap<string, readonly string[]> | undefined
    let foreign: Extraction
    let decided: Extraction
    for (const place of places) {
      const held = heldBy(place, headers, () => (cookies ??= cookiesOf(headers)))
      if (!held) continue
      const found = foundAt(place, held, recognises)
      if (found.kind === 'ambiguous') return found
      if (found.kind === 'foreign') foreign ??= found
      else decided ??= found
    }
    return decided ?? foreign
  }
  return ({ headers, memory }) => {
    if (!memory) return find(headers)
    const known = recall<Found>(memory, places)
    if (known && isFoundIn(headers, fields, known)) return known.extraction
    const extraction = find(headers)
    const found: Found = { lines: fields.map((field) => headers.get(field)), extraction }
    remember(memory, places, found)
    return extraction
  }
}

/** A credential with the carrier the CSRF rule asks about: the first place it stood in. */
export const carrierOf = (credential: Credential): CredentialLocation => credential.locations[0] ?? { kind: 'header', name: 'authorization' }
