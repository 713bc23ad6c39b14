/** What no header can carry and what breaks a log line in two (T8). */
const FORBIDDEN = /[\p{Cc}\p{Zl}\p{Zp}]/u
const MAX_LENGTH = 255

/**
 * Whether a text may be the id of a principal: 1 to 255 characters, no control or line separator, no blanks at its ends (an upstream
 * trims them, and `" admin"` would become `admin`), no half characters, and not what a bug makes of nothing (`null`, `undefined`).
 */
export function isSubject(value: unknown, maxLength = MAX_LENGTH): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= maxLength && value === value.trim() && value.isWellFormed() && !FORBIDDEN.test(value) && value !== 'null' && value !== 'undefined'
}
