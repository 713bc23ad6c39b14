import { parentPort } from 'node:worker_threads'
import { compareSync } from 'bcryptjs'

/** Compares one key with several bcrypt texts, in a thread of its own, since each takes some 60 ms of CPU. */
interface Guess { readonly id: number; readonly key: string; readonly hashes: readonly string[] }

parentPort?.on('message', ({ id, key, hashes }: Guess) => {
  const index = hashes.findIndex((hash) => compareSync(key, hash))
  parentPort?.postMessage({ id, index }, [])
})
