import type { Server } from 'node:http'

/** A small server of dev mode, on a port of loopback that the system chose. */
export interface LoopbackServer {
  /** `http://127.0.0.1:NNNNN` */
  readonly origin: string
  readonly close: () => Promise<void>
}

/** @throws the error of `listen` */
export async function listenOnLoopback(server: Server): Promise<LoopbackServer> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    origin: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
