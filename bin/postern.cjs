#!/usr/bin/env node
'use strict'
// The launcher. A shebang gets the system's Node, whatever that is: this parses on Node 20, finds the Node that can run
// Postern, and becomes invisible: signals go down, the exit code comes up.
const { spawn } = require('node:child_process')
const { constants } = require('node:os')
const { dirname, join } = require('node:path')
const { mkdirSync, realpathSync } = require('node:fs')
const { pathToFileURL } = require('node:url')
const { entryOf } = require('./entry.cjs')
const { NODE_ENVIRONMENT, NODE_FLAGS } = require('./node-flags.cjs')
const { nodeFor, MINIMUM } = require('./pinned-node.cjs')

const root = dirname(dirname(realpathSync(__filename)))

/** Compiled code is kept beside the packages, never in a shared temporary folder where somebody else could put some. */
function cacheFolder() {
  const folder = join(root, 'node_modules', '.cache', 'postern')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return folder
  } catch {
    return undefined
  }
}

function runHere(entry) {
  const folder = cacheFolder()
  if (folder !== undefined) require('node:module').enableCompileCache?.(folder)
  process.argv[1] = entry
  import(pathToFileURL(entry).href).catch((error) => {
    console.error(error)
    process.exit(1)
  })
}

function runThere(node, entry) {
  const folder = cacheFolder()
  // fd 3 ends when this process does, even by SIGKILL: the server then drains instead of staying behind as an orphan.
  const child = spawn(node, [...NODE_FLAGS, '--disable-warning=ExperimentalWarning', entry, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...NODE_ENVIRONMENT, ...process.env, _POSTERN_LAUNCHER_FD: '3', ...(folder === undefined ? {} : { NODE_COMPILE_CACHE: folder }) },
  })
  // A terminal sends Ctrl-C to both of us. Passed on once more it would be the second signal, which ends at once.
  const terminal = process.stdin.isTTY === true
  const forward = {}
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2']) {
    forward[signal] = () => {
      if (signal !== 'SIGINT' || !terminal) child.kill(signal)
    }
    process.on(signal, forward[signal])
  }
  child.on('error', (error) => {
    console.error(`postern: ${node} could not be started: ${error.message}`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) return process.exit(code)
    if (forward[signal]) process.removeListener(signal, forward[signal])
    process.kill(process.pid, signal)
    // A signal that this process survives still must not look like success.
    setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 100)
  })
}

const node = nodeFor(root)
if (node === undefined) {
  console.error(`postern: this is Node ${process.versions.node}, and Postern needs ${MINIMUM} or newer.`)
  console.error('  In a checkout, `npm ci` installs the right one beside it: run it again with network access.')
  console.error('  Otherwise install Node 26 from https://nodejs.org.')
  process.exit(1)
}
if (node.own) runHere(entryOf(root))
else runThere(node.path, entryOf(root))
