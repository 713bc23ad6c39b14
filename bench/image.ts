import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { imageSizes } from '../test/support/image-sizes.ts'
import { makeBases, missingForImages, openWorkshop } from '../test/support/image-workshop.ts'

/** Builds the image by the Dockerfile and keeps the sizes of its layers in bench/results/image.json. */

const ROOT = join(import.meta.dirname, '..')
const IMAGE = 'localhost/postern:bench'
/** What the application may add to its base, compressed. */
const LIMIT = 15_000_000

process.env['POSTERN_IMAGE'] ??= '1'
const reason = missingForImages()
if (reason !== undefined) {
  process.stderr.write(`the image cannot be built here: ${reason}\n`)
  process.exit(1)
}

const shop = openWorkshop()
try {
  makeBases(shop)
  shop.run('buildah', 'bud', '--isolation', 'chroot', '--pull-never', '--format', 'docker', '-t', IMAGE, '-f', join(ROOT, 'Dockerfile'), ROOT)
  const sizes = imageSizes(shop, IMAGE)
  const result = { at: new Date().toISOString(), node: process.version, unit: 'bytes, compressed', bases: 'stand-ins of Debian trixie and this Node', ...sizes, limit: LIMIT }
  mkdirSync(join(ROOT, 'bench', 'results'), { recursive: true })
  writeFileSync(join(ROOT, 'bench', 'results', 'image.json'), `${JSON.stringify(result, undefined, 2)}\n`)
  process.stdout.write(`base ${sizes.base}, application ${sizes.application} of at most ${LIMIT}, total ${sizes.total} bytes, compressed\n`)
  process.exitCode = sizes.application <= LIMIT ? 0 : 1
} finally {
  shop.close()
}
