// Settings of who writes text: this process, or served models.
import { z } from 'zod'
import { count, countOrZero, path, positive, setting } from './setting.ts'

const endpointSettings = z.strictObject({
  url: setting(
    z.url({ protocol: /^https?$/, error: 'must be an address like http://127.0.0.1:8000/v1.' }),
    'Address up to and including the version: http://127.0.0.1:8000/v1.',
  ),
  keyVariable: setting(z.string().min(1).optional(), 'Environment variable that holds the key, where one is needed.'),
  concurrency: setting(count().default(16), 'Calls at the same time.'),
  requestsPerMinute: setting(positive().optional(), 'Calls begun a minute; no limit when left out.'),
})

const startSettings = z.strictObject({
  environment: path(
    'The serving environment: a folder with bin/vllm, that of `meikai cluster install` when left out.',
  ).optional(),
  command: setting(
    z.string().min(1).optional(),
    'A shell line that serves in place of vLLM, and answers /health with 200 once it can; {folder}, {name}, {host}, {port} and {gpus} are filled in.',
  ),
  arguments: setting(z.array(z.string().min(1)).default([]), "Further arguments of vLLM, e.g. '--max-model-len=8192'."),
  gpus: setting(
    countOrZero().optional(),
    'GPUs that share the model (tensor parallelism), on one node; engine.processes when left out, 0 with engine.device: cpu.',
  ),
  port: setting(z.int().min(1).max(65_535).optional(), 'A free one from 8000 on when left out.'),
  listen: setting(
    z.enum(['loopback', 'network']).default('loopback'),
    'loopback: reached from its own machine alone; network: from others too, as where Slurm runs it on another node. Calls then carry a key that is made for it; vLLM asks for it under /v1 alone.',
  ),
  concurrency: setting(count().default(128), 'Calls at the same time.'),
  startSeconds: setting(positive().default(1800), 'How long it may take to load the model and answer.', {
    unit: 'seconds',
  }),
  container: setting(z.string().min(1).optional(), "What it is put behind, e.g. 'apptainer exec --nv serving.sif'."),
})

export const samplerSettings = z.strictObject({
  kind: setting(
    z.enum(['embedded', 'server']).default('embedded'),
    "embedded: in this process; server: endpoints of OpenAI's protocol (vLLM, llama-server, hosted ones).",
  ),
  precision: setting(
    z.enum(['float32', 'int8']).default('float32'),
    'embedded: how products with the weights are computed. int8: weights and activations in 8-bit blocks, the head too: a quarter of the bytes a weight, at answers that can differ. Training keeps to its own base.',
  ),
  endpoints: setting(z.array(endpointSettings).default([]), 'Where the models are served; all serve the same ones.'),
  start: setting(
    startSettings.optional(),
    'The run starts a server itself, for one model at a time, and ends it before training begins; in place of endpoints. Where (place, partition, account, timeLimit, batchOptions, setup) and how often again (retries) stand in engine.',
  ),
  model: setting(
    z.string().min(1).default('{folder}'),
    'Name under which they serve a model of the run: {folder} is its folder, {model} its name (base, cpt, ...).',
  ),
  adapters: setting(
    z.boolean().default(false),
    "Load what LoRA learnt onto the served base by name (vLLM's runtime LoRA; the endpoints must see the run's folder). Where it was learnt on a merged model, that one must be served.",
  ),
  dialect: setting(
    z.enum(['plain', 'openai', 'vllm']).default('plain'),
    'What the endpoints have beyond the common part of the protocol; vllm: token ids, seeds, log-probabilities, topK, adapters.',
  ),
  samplesPerCall: setting(count().default(1), 'Samples of a question in one call (n), where the endpoints can.'),
  timeoutSeconds: setting(positive().default(600), 'A call that takes longer has failed.', { unit: 'seconds' }),
  attempts: setting(
    count().default(10),
    'How often a call is made before the run ends; pauses double from half a second.',
  ),
})
