'use strict'
// Which program to run: the bundle when it is newer than every source, else the sources themselves.
const { existsSync, readdirSync, statSync } = require('node:fs')
const { join } = require('node:path')

function newestIn(folder) {
  let newest = 0
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) newest = Math.max(newest, newestIn(path))
    else if (entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts')) newest = Math.max(newest, statSync(path).mtimeMs)
  }
  return newest
}

/** Path of the program below `root`. A published package has no sources; a checkout installed with --ignore-scripts has no bundle. */
function entryOf(root) {
  const sources = join(root, 'src')
  const source = join(sources, 'main.ts')
  const bundle = join(root, 'dist', 'main.js')
  const stamp = join(root, 'dist', '.stamp')
  if (!existsSync(source)) return bundle
  if (!existsSync(bundle) || !existsSync(stamp)) return source
  return statSync(stamp).mtimeMs >= newestIn(sources) ? bundle : source
}

module.exports = { entryOf }
