/** One thing that was looked at. */
export interface Diagnosis {
  readonly level: 'ok' | 'warning' | 'problem'
  /** A stable word for what was looked at. */
  readonly name: string
  readonly text: string
  /** What to do about it; every warning and problem has one. */
  readonly fix?: string
}

export const ok = (name: string, text: string): Diagnosis => ({ level: 'ok', name, text })
export const warning = (name: string, text: string, fix: string): Diagnosis => ({ level: 'warning', name, text, fix })
export const problem = (name: string, text: string, fix: string): Diagnosis => ({ level: 'problem', name, text, fix })
