import type { KeyStore } from './key-store.ts'
import { valuesOf } from './record-rows.ts'

/**
 * A whole store as JSON lines: what it is in the first, a record in each of the others, and how many there were in the last, so that a file that
 * was cut off is told from a whole one. Holds digests and no key, and no pepper: where it is imported the same peppers are needed.
 */
export const EXPORT_HEADER = JSON.stringify({ format: 'postern-keys', layout: 1 })

/** The last line. */
export const exportEnd = (records: number): string => JSON.stringify({ end: 'postern-keys', records })

const PAGE = 500

/** Lines without their ends, in the order in which the keys were made; a page of the store in memory at a time. */
export async function* exportLines(store: KeyStore): AsyncGenerator<string> {
  yield EXPORT_HEADER
  let records = 0
  let after: string | undefined
  do {
    const page = await store.list({ limit: PAGE, after })
    for (const record of page.items) yield JSON.stringify(valuesOf(record))
    records += page.items.length
    after = page.next
  } while (after !== undefined)
  yield exportEnd(records)
}
