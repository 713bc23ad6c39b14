'use strict'
// How packages come into the bundle, where esbuild alone would make each start pay for what few configs use.

/**
 * `import` of a module of Node reads every export of it, and one of node:http is a getter that loads the whole of Node's own undici:
 * 15 MiB and 65 ms of CPU that `require` does not cost. So the bundle takes modules of Node without importing them.
 */
const WITHOUT_IMPORT = {
  name: 'without-import',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, kind }) => (kind === 'import-statement' ? { path, namespace: 'of-node' } : undefined))
    onLoad({ filter: /.*/, namespace: 'of-node' }, ({ path }) => ({ contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`, loader: 'js' }))
  },
}

/** Packages in CommonJS that are imported where everything is, with what is taken of them. Each becomes a file of its own, which is read when one of these is first used. */
const WHEN_USED = { ioredis: ['Cluster', 'Redis'] }

const READ_WHEN_USED = {
  name: 'read-when-used',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(${Object.keys(WHEN_USED).join('|')})$`) }, ({ path }) => ({ path, namespace: 'when-used' }))
    onResolve({ filter: /.*/, namespace: 'when-used' }, ({ path }) => ({ path, external: true }))
    onLoad({ filter: /.*/, namespace: 'when-used' }, ({ path }) => ({ contents: `let all; for (const name of ${JSON.stringify(WHEN_USED[path])}) Object.defineProperty(exports, name, { enumerable: true, get: () => (all ??= require('./${path}.cjs'))[name] })`, loader: 'js' }))
  },
}

/** `z` of zod holds its messages in fifty languages, a sixth of all that a start would compile. English is imported where it is used. */
const ENGLISH_ALONE = {
  name: 'english-alone',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({ contents: "export { default as en } from './en.js'", loader: 'js' }))
  },
}

module.exports = { PLUGINS: [WITHOUT_IMPORT, READ_WHEN_USED, ENGLISH_ALONE], APART: Object.keys(WHEN_USED) }
