import { EXIT, OperatorError } from './exit-codes.ts'

/** First release of each line with the security fixes of October 2026 (CVE-2026-105481, -111497 and others). */
const FLOORS: Readonly<Record<number, readonly [minor: number, patch: number]>> = { 24: [22, 1], 26: [12, 1] }
const NEWEST_KNOWN = 26

export const FLOOR_TEXT = '24.22.1 or 26.12.1'

/** Whether a Node version lacks known fixes. Lines without a floor are either newer than this code, or unsupported. */
export function isBelowFloor(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
  const floor = FLOORS[major]
  if (!floor) return major <= NEWEST_KNOWN
  return minor < floor[0] || (minor === floor[0] && patch < floor[1])
}

/** Switches of Node that undo what Postern relies on, with what they undo. */
const UNSAFE_FLAGS: Readonly<Record<string, string>> = {
  '--insecure-http-parser': 'lets requests through that two parsers read in two ways',
  '--tls-min-v1.0': 'allows TLS 1.0',
  '--tls-min-v1.1': 'allows TLS 1.1',
}

/**
 * Refuses a process that verifies less than it says.
 *
 * @throws {OperatorError} naming the variable or the switch
 */
export function refuseUnsafeProcess(env: NodeJS.ProcessEnv, execArgv: readonly string[]): void {
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    throw new OperatorError('NODE_TLS_REJECT_UNAUTHORIZED=0 turns off the verification of every certificate. Unset it; a private authority belongs in `ca` of the upstream or in NODE_EXTRA_CA_CERTS.', EXIT.config)
  }
  const flags = [...execArgv, ...(env['NODE_OPTIONS'] ?? '').split(/\s+/)]
  for (const flag of flags) {
    const why = UNSAFE_FLAGS[flag.replaceAll('_', '-')]
    if (why !== undefined) throw new OperatorError(`${flag} ${why}. Remove it from the command line or NODE_OPTIONS.`, EXIT.config)
  }
}

/** @throws {OperatorError} below the floor, when the config demands better */
export function requirePatchedNode(version: string, demanded: boolean): void {
  if (demanded && isBelowFloor(version)) throw new OperatorError(`Node ${version} lacks security fixes and the config says require_patched_node. Use ${FLOOR_TEXT} or newer.`, EXIT.config)
}
