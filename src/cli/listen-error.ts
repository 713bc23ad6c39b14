import { OperatorError } from './exit-codes.ts'

/** Says in words why an address cannot be had. */
export function listenError(key: string, address: { readonly host: string; readonly port: number } | { readonly path?: string }, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const where = 'host' in address && address.host !== '' ? `${address.host}:${address.port}` : String('path' in address ? address.path : '')
  if (code === 'EADDRINUSE') return new OperatorError(`${key}: ${where} is in use by another program`)
  if (code === 'EACCES') return new OperatorError(`${key}: this user may not listen on ${where}`)
  if (code === 'EADDRNOTAVAIL') return new OperatorError(`${key}: this machine has no address ${where}`)
  if (code === '') return error instanceof Error ? error : new Error(String(error))
  return new OperatorError(`${key}: ${where} cannot be listened on: ${code}`)
}
