import type { DurationMs } from '../../base/time.ts'
import type { Ending } from './client.ts'

/** Who is told that a client takes nothing, and after how long. */
export interface Impatient {
  readonly onStalled: () => void
  readonly stallMs: DurationMs
}

/** How long a client may take its time with what it has been given (T51). Over with its request. */
export class Patience implements Ending {
  private readonly whose: Impatient
  private timer: NodeJS.Timeout | undefined

  constructor(whose: Impatient) {
    this.whose = whose
  }

  /** From now on, unless it is so already. */
  begin(): void {
    this.timer ??= setTimeout(() => this.whose.onStalled(), this.whose.stallMs)
  }

  done(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }
}
