import { openFilled } from './key-lookups.ts'

/**
 * What a lookup costs with a thousand keys and with a million, in the SQLite store: remembered, not remembered, and unknown; how long the store
 * takes to open; what the memory of a process grows by. `npm run bench:keys [-- COUNT…]`; takes some minutes for the million.
 */
const counts = process.argv.slice(2).map(Number)

for (const count of counts.length > 0 ? counts : [1_000, 1_000_000]) {
  const before = process.memoryUsage.rss()
  const store = await openFilled(count)
  const [fromStore, remembered, unknown] = [await store.fromStore(), await store.remembered(), await store.unknown()]
  const grown = (process.memoryUsage.rss() - before) / 2 ** 20
  process.stdout.write(`${String(count).padStart(9)} keys: open ${store.openMs.toFixed(1)} ms; lookup remembered ${remembered.toFixed(1)} µs, from the store ${fromStore.toFixed(1)} µs, unknown ${unknown.toFixed(1)} µs; memory +${grown.toFixed(0)} MiB\n`)
  await store.close()
}
