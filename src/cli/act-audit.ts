import type { LoadedConfig } from '../config/load.ts'
import type { AdministeredEvent } from '../model/event.ts'
import { createAuditLog } from '../observe/audit-log.ts'
import { createLineWriter } from '../observe/line-writer.ts'
import { VERSION } from './version.ts'

/** Acts are told to the audit log where it is a file. A stream belongs to the running Postern, and stdout to our data. */
export function actAudit({ config }: LoadedConfig): { readonly tell: (event: AdministeredEvent) => void; readonly close: () => Promise<void> } {
  if (['stdout', 'stderr', 'off'].includes(config.audit)) return { tell: () => undefined, close: async () => undefined }
  const writer = createLineWriter({ file: config.audit })
  return { tell: createAuditLog({ writer, version: VERSION, statusOf: () => undefined }).administered, close: writer.close }
}
