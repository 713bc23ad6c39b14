import type { Denial } from '../model/denial.ts'

/** A request that two readers could understand in two ways. `detail` is fixed text: it may be shown, so it never quotes the request. */
export const ambiguous = (part: string, detail: string): Denial => ({ kind: 'denial', code: 'request_ambiguous', part, detail })
