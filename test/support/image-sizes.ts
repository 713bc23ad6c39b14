import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BASES, type Workshop } from './image-workshop.ts'

/** Bytes of compressed layers, as a registry would hold them. */
export interface ImageSizes { readonly base: number; readonly application: number; readonly total: number }

/** Reads the layers off an image of a workshop. @throws when one of them is not compressed */
export function imageSizes({ folder, run }: Workshop, image: string): ImageSizes {
  const saved = join(folder, 'saved')
  rmSync(saved, { recursive: true, force: true })
  run('podman', 'save', '--format', 'oci-dir', '-o', saved, image)
  const blob = (digest: string): string => readFileSync(join(saved, 'blobs', digest.replace(':', '/')), 'utf8')
  const index = JSON.parse(readFileSync(join(saved, 'index.json'), 'utf8')) as { manifests: { digest: string }[] }
  const { layers } = JSON.parse(blob(index.manifests[0]!.digest)) as { layers: { size: number; mediaType: string }[] }
  if (!layers.every(({ mediaType }) => mediaType.endsWith('tar+gzip'))) throw new Error('a layer is not compressed')
  const ofBase = (JSON.parse(run('podman', 'image', 'inspect', BASES.runtime)) as { RootFS: { Layers: string[] } }[])[0]!.RootFS.Layers.length
  const size = (some: typeof layers): number => some.reduce((sum, layer) => sum + layer.size, 0)
  const [base, application] = [size(layers.slice(0, ofBase)), size(layers.slice(ofBase))]
  return { base, application, total: base + application }
}
