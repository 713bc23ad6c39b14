import type { ServerResponse } from 'node:http'

/** The client, watched from the decision to the end of the answer. */
export interface Presence {
  left: boolean
  /** What to undo when it leaves: the place in the queue, the exchange with the upstream. */
  undo: () => void
}

export function watchClient(response: ServerResponse): Presence {
  const presence: Presence = { left: response.destroyed, undo: () => undefined }
  response.once('close', () => {
    if (response.writableFinished) return
    presence.left = true
    presence.undo()
  })
  return presence
}
