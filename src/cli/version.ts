import about from '../../package.json' with { type: 'json' }

/** Of this Postern. */
export const VERSION = about.version

/** Of the source it was built from; set by the build, unknown when the sources run as they are. */
export const REVISION: string = process.env['POSTERN_BUILD_REVISION'] ?? 'unknown'
