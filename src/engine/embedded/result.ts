// What training gives: a model folder or a PEFT adapter folder, whole or not at all.
import { writeFolderAtomic } from '../../base/files.ts'
import { type AdapterLayer, writeAdapter } from '../../formats/adapter.ts'
import { copyModelFiles, writeWeights } from '../../formats/weights.ts'
import { type Segment, type Segments, viewSegment } from '../../training/flat-weights.ts'
import type { TrainingJob } from '../engine.ts'

/** Writes the weights in the result's own form. */
export async function writeResult(
  folder: string,
  job: TrainingJob,
  segments: Segments,
  weights: Float32Array,
): Promise<void> {
  await writeFolderAtomic(folder, async (partial) => {
    const { method } = job
    if (method.kind === 'lora') {
      await writeAdapter(partial, { ...method, baseModel: job.model.folder }, adapterLayers(segments, weights))
    } else {
      await copyModelFiles(job.model.folder, partial, 'F32')
      const tensors = segments.map((segment) => ({
        name: segment.name,
        shape: segment.shape,
        read: () => viewSegment(weights, segment),
      }))
      await writeWeights(partial, tensors)
    }
  })
}

function adapterLayers(segments: Segments, weights: Float32Array): AdapterLayer[] {
  const byName = new Map(segments.map((segment): [string, Segment] => [segment.name, segment]))
  return segments.flatMap((a) => {
    const layer = /^(.+)\.lora_A\.weight$/.exec(a.name)?.[1]
    const b = layer === undefined ? undefined : byName.get(`${layer}.lora_B.weight`)
    if (b === undefined) return []
    return [
      {
        weight: `${layer}.weight`,
        inputs: a.shape[1]!,
        outputs: b.shape[0]!,
        a: viewSegment(weights, a),
        b: viewSegment(weights, b),
      },
    ]
  })
}
