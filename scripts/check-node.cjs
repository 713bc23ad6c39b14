'use strict'
// Runs on whatever Node the machine has. An optional dependency that could not be downloaded is skipped by npm
// without a word, and scripts would then silently run on the system's Node: say so instead.
var wanted = 24
var major = Number(process.versions.node.split('.')[0])
if (major < wanted) {
  console.error('postern: this script runs on Node ' + process.versions.node + ', but needs ' + wanted + ' or newer.')
  console.error('  The checkout pins its own Node as a dev dependency. It is missing: run `npm ci` again with network access.')
  process.exit(1)
}
