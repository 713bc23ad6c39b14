import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options: { readonly type: 'minor' }) => void

const EVERY_BYTES = 8 * 1_024 * 1_024

function findCollect(): Collect {
  setFlagsFromString('--expose-gc')
  const found: unknown = runInNewContext('typeof gc === "function" ? gc : undefined')
  setFlagsFromString('--no-expose-gc')
  return typeof found === 'function' ? (options) => void found(options) : () => undefined
}

let collect: Collect | undefined
let since = 0

/**
 * Tells that a piece of a body has been passed on. For V8 a buffer of 64 KiB is one small object, and it lets 64 MiB and more of them
 * pile up before it looks: so every 8 MiB the young ones are collected, which takes about a millisecond and keeps long streams flat.
 */
export function passedOn(bytes: number): void {
  since += bytes
  if (since < EVERY_BYTES) return
  since = 0
  collect ??= findCollect()
  collect({ type: 'minor' })
}
