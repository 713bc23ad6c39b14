import { userInfo } from 'node:os'

/** Who gives a command, as the audit log names them. */
export function actorOf(): string {
  try {
    return `cli:${userInfo().username}`
  } catch {
    // A container may run under a uid that has no name.
    return `cli:uid-${process.getuid?.() ?? 'unknown'}`
  }
}
