import type { IncomingMessage } from 'node:http'
import { textOf } from './body.ts'

/** Fields of a form, each once, without blanks at their ends. */
export type Form = ReadonlyMap<string, string>

/** Empty for anything but a form, and for one in which a field stands twice. */
export function formIn(contentType: string | undefined, text: string): Form {
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(contentType ?? '')) return new Map()
  const entries = [...new URLSearchParams(text)].map(([name, value]) => [name, value.trim()] as const)
  return new Set(entries.map(([name]) => name)).size === entries.length ? new Map(entries) : new Map()
}

/** @throws {BodyTooLarge} */
export const formOf = async (incoming: IncomingMessage): Promise<Form> => formIn(incoming.headers['content-type'], await textOf(incoming))
