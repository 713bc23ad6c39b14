import { createHash } from 'node:crypto'
import { readFileSync, watch, type FSWatcher } from 'node:fs'
import type { Server } from 'node:https'
import { dirname } from 'node:path'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import type { DurationMs } from '../../base/time.ts'
import type { Observer } from '../../model/event.ts'
import type { ListenerTls } from './settings.ts'

/** A net for file systems that do not report changes. */
const POLL_MS: DurationMs = 60_000

/** A rotation touches several files; the last one counts. */
const SETTLE_MS: DurationMs = 100

/** Reads the PEM files of a listener. @throws when one cannot be read */
export function readCertificate({ certificate, key, clientCa }: ListenerTls): SecureContextOptions {
  return { cert: readFileSync(certificate), key: readFileSync(key), ...(clientCa === undefined ? {} : { ca: readFileSync(clientCa) }), minVersion: 'TLSv1.2' }
}

const digestOf = ({ cert, key, ca }: SecureContextOptions): string => createHash('sha256').update(`${String(cert)}\0${String(key)}\0${String(ca)}`).digest('hex')

/**
 * Follows the files of a listener and puts what they hold in place, for new handshakes. Watches the directories, since Kubernetes swaps
 * a symlink beside the file. Half a rotation (the key does not fit yet) keeps the old pair and says so.
 *
 * @returns the way to stop
 */
export function followCertificate(server: Pick<Server, 'setSecureContext'>, tls: ListenerTls, observer: Observer): () => void {
  let seen = digestOf(readCertificate(tls))
  let settling: NodeJS.Timeout | undefined

  const reread = (): void => {
    try {
      const context = readCertificate(tls)
      const digest = digestOf(context)
      if (digest === seen) return
      // Checks that key and certificate belong together before anything is replaced.
      createSecureContext(context)
      server.setSecureContext(context)
      seen = digest
      observer.noticed('info', 'certificate_rotated', 'the listener uses a new certificate', { certificate: tls.certificate })
    } catch (error) {
      observer.noticed('error', 'certificate_unusable', 'the new certificate cannot be used; the old one stays', { certificate: tls.certificate, cause: error instanceof Error ? error.message : 'unknown' })
    }
  }
  const soon = (): void => {
    clearTimeout(settling)
    settling = setTimeout(reread, SETTLE_MS)
  }

  const directories = new Set([tls.certificate, tls.key, ...(tls.clientCa === undefined ? [] : [tls.clientCa])].map((file) => dirname(file)))
  const watchers = [...directories].flatMap((directory): FSWatcher[] => {
    try {
      return [watch(directory, { persistent: false }, soon).on('error', () => undefined)]
    } catch {
      return []
    }
  })
  const poll = setInterval(reread, POLL_MS)
  poll.unref()
  return () => {
    clearInterval(poll)
    clearTimeout(settling)
    for (const watcher of watchers) watcher.close()
  }
}
