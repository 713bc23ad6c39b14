/** Milliseconds since the Unix epoch. */
export type EpochMs = number

/** A length of time in milliseconds. */
export type DurationMs = number

/** Where the time comes from. Injected everywhere, so that tests never sleep. */
export type Clock = () => EpochMs

/** A value now, or later. Stages that can answer at once do, so that the fast path costs no promise. */
export type MaybePromise<T> = T | Promise<T>
