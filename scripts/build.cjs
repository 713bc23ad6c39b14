'use strict'
// Bundles src/main.ts into dist/: one minified file and a chunk for each thing that is imported lazily. Idle memory and start
// time are the reason: the modules of a dozen packages cost more as files than as one.
// Runs from `prepare` on whatever Node npm runs on. Where esbuild is missing an install goes on, since the launcher then runs the
// sources; what cannot be bundled fails it.
const { execFileSync } = require('node:child_process')
const { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { basename, join } = require('node:path')
const { APART, PLUGINS } = require('./bundle-packages.cjs')

const root = join(__dirname, '..')
const outdir = join(root, 'dist')
const installing = process.env.npm_lifecycle_event === 'prepare'

// Packages in CommonJS ask for `require` and `__dirname`, which an ES module does not have.
const BANNER = [
  "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url)",
  'const __filename = import.meta.filename, __dirname = import.meta.dirname',
].join(';')

function revision() {
  try {
    return execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim()
  } catch {
    return 'unknown'
  }
}

/** Licence texts of everything that is in the bundle, which minifying would drop. */
function licences(inputs) {
  const folders = new Set()
  for (const path of Object.keys(inputs)) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)
    if (match) folders.add(match[1])
  }
  return [...folders].sort().map((folder) => {
    const about = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
    const file = ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'LICENCE', 'License', 'license', 'LICENSE-MIT'].map((name) => join(root, folder, name)).find((path) => existsSync(path))
    return `${about.name} ${about.version} (${about.license})\n\n${file ? readFileSync(file, 'utf8').trim() : 'The package carries no licence text.'}\n`
  }).join('\n----------------------------------------\n\n')
}

async function build() {
  const { build: bundle } = require('esbuild')
  rmSync(outdir, { recursive: true, force: true })
  const stamp = { version: require('../package.json').version, revision: revision() }
  const settings = { absWorkingDir: root, outdir, entryNames: '[name]', bundle: true, platform: 'node', target: 'node24', minify: true, legalComments: 'none', metafile: true, logLevel: 'warning' }
  const program = await bundle({
    ...settings,
    entryPoints: ['src/main.ts', ...workers()],
    chunkNames: '[name]-[hash]',
    splitting: true,
    format: 'esm',
    plugins: PLUGINS,
    banner: { js: BANNER },
    define: {
      'process.env.POSTERN_BUILD_REVISION': JSON.stringify(stamp.revision),
      // Packages look at it to know browsers and workers; making it costs a start more than there is to know.
      navigator: 'undefined',
    },
  })
  const packages = await bundle({ ...settings, entryPoints: APART, outExtension: { '.js': '.cjs' }, format: 'cjs' })
  writeFileSync(join(outdir, 'LICENSES.txt'), licences({ ...program.metafile.inputs, ...packages.metafile.inputs }))
  // Last: a build that was interrupted has no stamp and is not used.
  writeFileSync(join(outdir, '.stamp'), `${JSON.stringify(stamp)}\n`)
}

/** Threads are started by file name, so each is a program of its own, in the folder of the chunks that start them. */
function workers() {
  return readdirSync(join(root, 'src'), { recursive: true }).filter((path) => path.endsWith('-worker.ts')).map((path) => join('src', path))
}

/** Why nothing can be built here, which is no fault of the sources: an installed package has none, and npm skips esbuild where it does not run. */
async function missing() {
  if (!existsSync(join(root, 'src', 'main.ts'))) return 'there are no sources'
  try {
    await require('esbuild').transform('')
    return undefined
  } catch (error) {
    return error.code === 'MODULE_NOT_FOUND' ? 'esbuild is not installed' : `esbuild does not run here: ${error.message}`
  }
}

async function run() {
  const reason = await missing()
  if (reason !== undefined) {
    console.error(`postern: no bundle was built: ${reason}.`)
    process.exitCode = installing ? 0 : 1
    return
  }
  try {
    await build()
  } catch (error) {
    // Sources that cannot be bundled cannot be run either: an install that said nothing of it would end in a program that does not start.
    console.error(`postern: no bundle was built. ${basename(__filename)}: ${error.message}`)
    rmSync(outdir, { recursive: true, force: true })
    process.exitCode = 1
  }
}

run()
