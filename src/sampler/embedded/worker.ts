// The worker thread of the embedded sampler: one model, opened by the first call.
import { internal } from '../../base/errors.ts'
import { serve } from '../../base/worker-call.ts'
import type { ModelReference } from '../../engine/engine.ts'
import type { SampleRequest, SamplingSettings } from '../sampler.ts'
import type { EmbeddedOptions } from './embedded.ts'
import { type LocalSampler, openLocalSampler } from './local.ts'

let opened: LocalSampler | undefined
const sampler = () => opened ?? internal('the sampler is not open')

interface Job {
  requests: SampleRequest[]
  settings: SamplingSettings
}

serve({
  async *open({ model, options }: { model: ModelReference; options: EmbeddedOptions }) {
    opened = await openLocalSampler(model, options)
    yield 'opened'
  },
  sample: ({ requests, settings }: Job, signal) => sampler().sample(requests, settings, signal),
  logits: ({ prompts }: { prompts: number[][] }) => sampler().logits(prompts),
  async *estimate({ requests, settings }: Job) {
    yield await sampler().estimate(requests, settings)
  },
  async *close() {
    await sampler().close()
    yield 'closed'
  },
})
