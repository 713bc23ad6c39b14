import { setFlagsFromString } from 'node:v8'

/** What a start needs of Node, and what these load in turn. */
const OF_NODE = ['node:child_process', 'node:cluster', 'node:crypto', 'node:dns', 'node:fs/promises', 'node:http', 'node:https', 'node:perf_hooks', 'node:process', 'node:timers/promises', 'node:tls', 'node:tty', 'node:vm', 'node:zlib']

/**
 * Sets V8's heap for a server (ADR 0019). Objects begin young, always: V8 would otherwise make those of a request old at once, as soon as
 * enough of them were seen in use by collections, and what is old and dead keeps all that it holds until a full collection.
 *
 * And keeps the young generation from growing while everything is imported and compiled: that garbage comes once, and V8 never
 * gives the 16 MiB that it would grow by back to the system. Call the result when the start is over, so that it can grow under load.
 */
export function setHeap(): () => void {
  // Before the flags: V8 takes code that comes compiled under the flags of its making only, and Node's own modules come so.
  for (const name of OF_NODE) process.getBuiltinModule(name)
  setFlagsFromString('--no-allocation-site-pretenuring')
  setFlagsFromString('--semi-space-growth-factor=1')
  return () => setFlagsFromString('--semi-space-growth-factor=2')
}
