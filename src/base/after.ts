import type { MaybePromise } from './time.ts'

/** Goes on with a value, at once when it is here. A promise costs more than most of what stands behind one. */
export const after = <T, R>(value: MaybePromise<T>, then: (value: T) => MaybePromise<R>): MaybePromise<R> => (value instanceof Promise ? value.then(then) : then(value))
