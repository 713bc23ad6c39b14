import { afterEach } from 'vitest'

interface Closeable { readonly close: () => Promise<void> }

/** Remembers what a test opened and closes it afterwards, the last one first. Call once per test file. */
export function closeAfterEach(): <T extends Closeable>(thing: T) => T {
  const open: Closeable[] = []
  afterEach(async () => {
    for (const thing of open.splice(0).toReversed()) await thing.close()
  })
  return (thing) => {
    open.push(thing)
    return thing
  }
}
