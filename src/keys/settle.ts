import type { MaybePromise } from '../base/time.ts'

/**
 * Goes on with what `start` yields, or with its failure. Stays synchronous when `start` does, so that a store that answers at
 * once costs no promise, and sees a throw and a rejection as the same thing.
 */
export function settle<T, R>(start: () => MaybePromise<T>, done: (value: T) => MaybePromise<R>, failed: (error: unknown) => MaybePromise<R>): MaybePromise<R> {
  let value: MaybePromise<T>
  try {
    value = start()
  } catch (error) {
    return failed(error)
  }
  return value instanceof Promise ? value.then(done, failed) : done(value)
}
