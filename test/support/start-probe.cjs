'use strict'
// Preloaded into a Postern with `--expose-internals`: when it ends, writes which files it read as code, and which of Node's own
// modules were compiled from text since their compiled form was not taken.
const { writeFileSync } = require('node:fs')
const { registerHooks } = require('node:module')
const { internalBinding } = require('internal/test/binding')

const read = []
registerHooks({
  load: (url, context, next) => {
    if (url.startsWith('file:')) read.push(url)
    return next(url, context)
  },
})
process.once('exit', () => writeFileSync(process.env.START_PROBE, JSON.stringify({ read, compiled: [...internalBinding('builtins').getCacheUsage().compiledWithoutCache] })))
