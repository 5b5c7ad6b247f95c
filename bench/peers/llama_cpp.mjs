// llama.cpp's side of sampling, through node-llama-cpp: many samples on one prompt, which is evaluated once and copied.
// The job: {file, prompt, samples, tokens, measuredTokens, threads}; the reply: {values: [tokens a second, the prompt's time
// included], note}. Of each sample's tokens the first measuredTokens are written, the others are taken to come at their rate.
// The count of threads is the quicker one of all up to `threads`, found with a few tokens before the clock starts.
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [jobFile, replyFile] = process.argv.slice(2)
const job = JSON.parse(await readFile(jobFile, 'utf8'))
const entry = join(process.env.MEIKAI_PEERS_LLAMA_CPP, 'node_modules', 'node-llama-cpp', 'dist', 'index.js')
const { getLlama } = await import(pathToFileURL(entry).href)
const trialTokens = 4

const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, progressLogs: false, logLevel: 'error' })
const model = await llama.loadModel({ modelPath: job.file })
const state = join(job.folder, 'prompt.state')

const trials = []
for (let threads = 1; threads <= job.threads; threads++) {
  const { writing } = await sample(threads, job.prompt.slice(0, 16), trialTokens)
  trials.push({ threads, writing })
}
const { threads } = trials.sort((a, b) => a.writing - b.writing)[0]
const { reading, writing } = await sample(threads, job.prompt, job.measuredTokens)
const values = [(job.samples * job.tokens) / (reading + (writing * job.tokens) / job.measuredTokens)]
const part =
  job.measuredTokens < job.tokens ? `; ${job.measuredTokens} tokens of each sample, the others taken at their rate` : ''
await writeFile(
  replyFile,
  JSON.stringify({ values, note: `${threads} thread${threads === 1 ? '' : 's'}, the quicker${part}` }),
)
await llama.dispose()

/** Seconds of reading the prompt, and of writing up to the last sample's last token. Greedy, so that choosing costs least. */
async function sample(threads, prompt, tokens) {
  const context = await model.createContext({
    contextSize: prompt.length + tokens + 8,
    sequences: job.samples,
    batchSize: 512,
    threads: { ideal: threads, min: threads },
  })
  const sequences = Array.from({ length: job.samples }, () => context.getSequence())
  const start = performance.now()
  // The last token is each sample's own, as its logits are.
  await sequences[0].evaluateWithoutGeneratingNewTokens(prompt.slice(0, -1))
  await sequences[0].saveStateToFile(state)
  for (const sequence of sequences.slice(1)) await sequence.loadStateFromFile(state, { acceptRisk: true })
  const read = performance.now()
  await Promise.all(sequences.map((sequence) => generate(sequence, prompt.at(-1), tokens)))
  const writing = (performance.now() - read) / 1000
  await context.dispose()
  await rm(state, { force: true })
  return { reading: (read - start) / 1000, writing }
}

async function generate(sequence, last, tokens) {
  let count = 0
  for await (const _ of sequence.evaluate([last], { yieldEogToken: true })) {
    if (++count === tokens) return
  }
  throw new Error(`only ${count} tokens of ${tokens} came`)
}
