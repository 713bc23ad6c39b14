import { createProxyServer } from 'http-proxy-3'
import { createHandshake, type Handshake } from './handshake.ts'

/**
 * Handshakes through the library. A file of its own, to be imported lazily: of a package in CommonJS that is itself imported lazily the
 * bundle shows nothing but `default`.
 */
export const handshakeOfLibrary = (): Handshake => createHandshake(createProxyServer({}))
