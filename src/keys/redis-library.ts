/**
 * A file of its own, to be imported lazily: of a package in CommonJS that is itself imported lazily the bundle shows nothing but
 * `default`.
 */
export { Redis } from 'ioredis'
