import { setFlagsFromString } from 'node:v8'

/**
 * Keeps the young generation from growing while everything is imported and compiled: that garbage comes once, and V8 never
 * gives the 16 MiB that it would grow by back to the system. Call the result when the start is over, so that it can grow under load.
 */
export function keepHeapSmall(): () => void {
  setFlagsFromString('--semi-space-growth-factor=1')
  return () => setFlagsFromString('--semi-space-growth-factor=2')
}
