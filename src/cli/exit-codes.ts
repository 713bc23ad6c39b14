/** What the shell, systemd and Kubernetes learn. */
export const EXIT = {
  ok: 0,
  /** It ran and failed; for `explain`, the request would be denied. */
  failure: 1,
  /** Wrong usage. */
  usage: 2,
  /** EX_CONFIG of sysexits: the config is wrong, and restarting will not mend it (`RestartPreventExitStatus=78`). */
  config: 78,
} as const

/** The command line was wrong; `main` prints the message and the usage. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** Something the operator can mend; printed without a stack. */
export class OperatorError extends Error {
  readonly exitCode: number
  constructor(message: string, exitCode: number = EXIT.failure) {
    super(message)
    this.name = 'OperatorError'
    this.exitCode = exitCode
  }
}
