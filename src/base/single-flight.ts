/** Runs `start` once per key at a time; callers that come meanwhile share the answer, the error included. */
export interface SingleFlight<T> {
  readonly run: (key: string, start: () => Promise<T>) => Promise<T>
  /** Calls under way, for metrics and tests. */
  readonly size: () => number
}

export function createSingleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, Promise<T>>()
  return {
    run: (key, start) => {
      const running = flights.get(key)
      if (running) return running
      const flight = start().finally(() => {
        flights.delete(key)
      })
      flights.set(key, flight)
      return flight
    },
    size: () => flights.size,
  }
}
