import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A key and the certificate for it: paths and PEM text. */
export interface Pair { readonly keyFile: string; readonly certificateFile: string; readonly key: string; readonly certificate: string }

export interface Authority {
  readonly directory: string
  readonly caFile: string
  readonly ca: string
  /** Issues a certificate for names such as `DNS:api.test` or `IP:127.0.0.1`. */
  readonly issue: (label: string, ...names: string[]) => Pair
  readonly close: () => Promise<void>
}

const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'] as const

/** A certificate authority in a directory of its own, with the `openssl` of the machine. */
export function createAuthority(): Authority {
  const directory = mkdtempSync(join(tmpdir(), 'postern-certificates-'))
  const file = (name: string): string => join(directory, name)
  openssl('req', '-x509', ...NEW_KEY, '-keyout', file('ca.key'), '-out', file('ca.pem'), '-days', '2', '-subj', '/CN=Test authority')
  return {
    directory,
    caFile: file('ca.pem'),
    ca: readFileSync(file('ca.pem'), 'utf8'),
    issue: (label, ...names) => {
      const [keyFile, requestFile, certificateFile, extensions] = [file(`${label}.key`), file(`${label}.csr`), file(`${label}.pem`), file(`${label}.ext`)]
      writeFileSync(extensions, `subjectAltName=${names.join(',')}\n`)
      openssl('req', ...NEW_KEY, '-keyout', keyFile, '-out', requestFile, '-subj', `/CN=${label}`)
      openssl('x509', '-req', '-in', requestFile, '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-out', certificateFile, '-days', '2', '-extfile', extensions)
      return { keyFile, certificateFile, key: readFileSync(keyFile, 'utf8'), certificate: readFileSync(certificateFile, 'utf8') }
    },
    close: async () => rmSync(directory, { recursive: true, force: true }),
  }
}
