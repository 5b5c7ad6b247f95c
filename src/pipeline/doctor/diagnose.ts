// The doctor: looks at a recipe, everything that it names and this machine, without training anything.
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, freemem, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { cacheFolder } from '../../base/cache.ts'
import { formatBytes, formatCount, formatDuration } from '../../base/format.ts'
import { checkTokens } from '../../export/release-checks.ts'
import { writeWorld } from '../../miniature/write-world.ts'
import { measureCopy, openCheckpoint } from '../../model/checkpoint.ts'
import { loadModelConfig, type ModelConfig } from '../../model/config.ts'
import { hubSettings } from '../../model/hub.ts'
import { loadVerdicts } from '../../preference/verdicts.ts'
import type { LoadedRecipe } from '../../recipe/recipe.ts'
import { measureMatrixRate } from '../../runtime/matrix-rate.ts'
import { loadTokenizer, type Tokenizer } from '../../tokenizer/tokenizer.ts'
import { estimateDisk } from '../disk.ts'
import { expandStages } from '../expand.ts'
import { hasWeights } from '../inputs.ts'
import { locatePath } from '../models.ts'
import { describeDownload, findModelFolder } from '../stages/download.ts'
import type { ExamPart } from '../stages/exam.ts'
import { worldPath } from '../stages/miniature.ts'
import { findStates } from '../states.ts'
import { versions } from '../versions.ts'
import { inspectCluster } from './cluster.ts'
import { estimateRun, type RunEstimate } from './estimate.ts'
import { checkPromptLengths, compareExams, type Exams, encodePrompts, loadPart, loadPromptOptions } from './exams.ts'
import { attempt, type Finding } from './finding.ts'
import { inspectServing } from './serving.ts'
import { inspectAllTexts } from './texts.ts'

/** Yields findings; returns what the run will take, where everything could be read. */
export async function* diagnose(
  loaded: LoadedRecipe,
  runsFolder = 'runs',
): AsyncGenerator<Finding, RunEstimate | undefined> {
  const { recipe } = loaded
  // The miniature's files are looked at too; they are the same wherever they are written.
  const work = await mkdtemp(join(tmpdir(), 'meikai-doctor-'))
  try {
    const matrixRate = yield* inspectMachine(recipe.threads)
    if (recipe.miniature !== undefined) {
      const { seed = recipe.seed, ...settings } = recipe.miniature
      await writeWorld(join(work, 'miniature', worldPath), { seed, ...settings })
    }
    return yield* inspectRecipe(loaded, runsFolder, work, matrixRate)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function* inspectMachine(threads: number): AsyncGenerator<Finding, number> {
  const rate = await measureMatrixRate(threads)
  const names = Object.entries(versions()).map(([name, version]) => `${name} ${version}`)
  const message = `${names.join(', ')}; ${formatCount(rate / 1e9)} GFLOP/s in float32 matrix products with ${threads} threads`
  yield { severity: 'good', subject: 'machine', message }
  const cores = availableParallelism()
  if (threads > cores) {
    yield {
      severity: 'warning',
      subject: 'machine',
      message: `threads: ${threads}, but there are only ${cores} cores.`,
    }
  }
  return rate
}

async function* inspectRecipe(
  loaded: LoadedRecipe,
  runsFolder: string,
  work: string,
  matrixRate: number,
): AsyncGenerator<Finding, RunEstimate | undefined> {
  const { recipe, locate } = loaded
  if (recipe.engine.kind === 'cluster') yield* inspectCluster(loaded, runsFolder)
  if (recipe.sampler.start !== undefined) yield* inspectServing(loaded)
  const found = await findModelFolder(recipe, runsFolder)
  const modelFolder = found === undefined ? undefined : locatePath(found, work)
  const model =
    modelFolder === undefined ? yield* announceDownload(loaded) : yield* inspectModel(loaded, modelFolder, work)
  const states = await findStates(recipe, runsFolder)
  const disk = await estimateDisk(recipe, states, runsFolder)
  if (disk !== undefined) {
    yield {
      severity: disk.bytes > disk.freeBytes ? 'error' : 'good',
      subject: 'disk',
      message: `up to ${formatBytes(disk.bytes)} for weights, ${formatBytes(disk.freeBytes)} free`,
    }
  }
  yield* inspectQuantisation(loaded)
  const exams = yield* inspectExams(loaded, work)
  const tokens = yield* inspectAllTexts(loaded, work, model?.tokenizer)
  if (recipe.pair.verdicts !== undefined) {
    const path = recipe.pair.verdicts
    yield* attempt('exam', ['pair', 'verdicts'], locate, () => loadVerdicts(path))
  }
  const options = yield* attempt('exam', ['exam', 'template'], locate, () =>
    loadPromptOptions(recipe, exams?.shots ?? []),
  )
  if (model === undefined || modelFolder === undefined) return undefined
  if (exams === undefined || tokens === undefined || options === undefined) return undefined

  const { config, tokenizer } = model
  const prompts = yield* attempt('exam', ['exam', 'shots'], locate, async () => ({
    answer: encodePrompts(exams.test ?? [], 'answer', options, tokenizer),
    explain: encodePrompts(exams.test ?? [], 'explain', options, tokenizer),
    preference: encodePrompts(exams.preference ?? [], 'explain', options, tokenizer),
  }))
  if (prompts === undefined) return undefined
  const { answerTokens, explainTokens } = recipe.examine
  yield* checkPromptLengths(prompts, { answer: answerTokens, explain: explainTokens }, config)

  if (recipe.engine.kind === 'cluster') return undefined
  const sizes = { recipe, config, modelFolder, ...tokens, testPrompts: prompts, preferencePrompts: prompts.preference }
  const { stages } = expandStages(recipe, await hasWeights(recipe))
  const left = stages.filter(({ id }) => states.get(id) !== 'done')
  const estimate = yield* attempt('time', ['engine'], locate, () => estimateRun({ ...sizes, stages: left }, matrixRate))
  if (estimate === undefined) return undefined
  yield {
    severity: estimate.bytes > totalmem() ? 'error' : estimate.bytes > freemem() ? 'warning' : 'good',
    subject: 'memory',
    message: `about ${formatBytes(estimate.bytes)} at most, ${formatBytes(freemem())} of ${formatBytes(totalmem())} free`,
  }
  for (const { id, ways } of estimate.recompute) {
    const cost = ({ bytes, seconds }: { bytes: number; seconds: number }) =>
      `${formatBytes(bytes)}, ${formatDuration(seconds)}`
    const message = `${id}: about ${cost(ways.none)}; with recompute: layers ${cost(ways.layers)}`
    yield { severity: 'good', subject: 'memory', message }
  }
  for (const { id, formula } of estimate.served) {
    yield { severity: 'good', subject: 'time', message: `${id}: ${formula}` }
  }
  const longest = [...estimate.stages].sort((a, b) => b.seconds - a.seconds).slice(0, 3)
  const parts = longest.map(({ id, seconds }) => `${id} ${formatDuration(seconds)}`)
  yield {
    severity: 'good',
    subject: 'time',
    message: `about ${formatDuration(estimate.seconds)}${parts.length === 0 ? ', all is done' : ` (${parts.join(', ')}, ...)`}`,
  }
  return estimate
}

/** What was learnt on NF4 lies in the middle of its levels: quantised again, little of it moves to the next one. */
function* inspectQuantisation({ recipe, locate }: LoadedRecipe): Generator<Finding> {
  const isTwice = recipe.pretrain.base === 'nf4' && recipe.prefer.base === 'nf4'
  if (!isTwice || !recipe.variants.some((name) => name.startsWith('cpt+'))) return
  const message = `${locate(['prefer', 'base'])}: prefer.base: nf4 quantises what pretraining on nf4 learnt once more, and can lose much of it. Look at the report's "What fewer bits changed"; where memory allows, leave it out.`
  yield { severity: 'warning', subject: 'model', message }
}

/** Nothing is downloaded to look at it: what the model needs is told once it is here. */
async function* announceDownload({ recipe, locate }: LoadedRecipe): AsyncGenerator<Finding, undefined> {
  const message = await describeDownload(recipe)
  const { offline } = hubSettings()
  const place = `${locate(['model', 'folder'])}: model: `
  yield offline
    ? { severity: 'error', subject: 'model', message: `${place}${message}` }
    : { severity: 'good', subject: 'model', message: `${message} Memory and time can be told once it is here.` }
  return undefined
}

async function* inspectModel(
  { recipe, locate }: LoadedRecipe,
  folder: string,
  work: string,
): AsyncGenerator<Finding, { config: ModelConfig; tokenizer: Tokenizer } | undefined> {
  const at = ['model', 'folder']
  const config = yield* attempt('model', at, locate, () => loadModelConfig(folder))
  const { tokenizer: ownTokenizer } = recipe.model
  const own = ownTokenizer === undefined ? at : ['model', 'tokenizer']
  const tokenizer = yield* attempt('model', own, locate, () =>
    loadTokenizer(ownTokenizer === undefined ? folder : locatePath(ownTokenizer, work)),
  )
  if (config === undefined || tokenizer === undefined) return undefined
  if (tokenizer.vocabularySize > config.vocabularySize) {
    const message = `${locate(own)}: the tokenizer has ${formatCount(tokenizer.vocabularySize)} tokens, the model only ${formatCount(config.vocabularySize)}. They do not belong together.`
    yield { severity: 'error', subject: 'model', message }
    return undefined
  }
  const shape = `${config.family}, ${config.layers} layers of width ${config.width}, vocabulary ${formatCount(config.vocabularySize)}, context ${formatCount(config.contextTokens)} tokens`
  if (await hasWeights(recipe)) {
    // Told first: opening makes the copy, which takes a while and may fill the disk.
    const copyBytes = yield* attempt('model', at, locate, () => measureCopy(folder))
    if (copyBytes === undefined) return undefined
    if (copyBytes > 0) {
      const message = `${formatBytes(copyBytes)} for a float32 copy of the model's 16-bit weights, made once, in ${cacheFolder()}`
      yield { severity: 'good', subject: 'disk', message }
    }
    const opened = yield* attempt('model', at, locate, () => openCheckpoint({ folder }, 1))
    if (opened === undefined) return undefined
    yield { severity: 'good', subject: 'model', message: shape }
    const trainsRows = recipe.pretrain.method === 'full'
    for (const { message } of (yield* attempt('model', at, locate, () => checkTokens(folder, { trainsRows }))) ?? []) {
      yield { severity: 'warning', subject: 'model', message: `${locate(at)}: ${message}` }
    }
  } else if (recipe.foundation === undefined) {
    const message = `${shape}; no weights: it starts from random ones and knows nothing.`
    yield { severity: 'warning', subject: 'model', message }
  } else {
    yield { severity: 'good', subject: 'model', message: `${shape}; trained from random weights` }
  }
  return { config, tokenizer }
}

async function* inspectExams(
  { recipe, locate }: LoadedRecipe,
  work: string,
): AsyncGenerator<Finding, Exams | undefined> {
  const exams: Exams = {}
  let isWhole = true
  for (const part of ['past', 'preference', 'test', 'shots'] as const satisfies ExamPart[]) {
    if (recipe.exam[part] === undefined) continue
    const items = yield* attempt('exam', ['exam', part], locate, () => loadPart(recipe, part, work))
    if (items === undefined) isWhole = false
    else exams[part] = items
  }
  if (!isWhole) return undefined
  const counts = Object.entries(exams).map(([part, items]) => `${part} ${formatCount(items.length)}`)
  yield { severity: 'good', subject: 'exam', message: `questions: ${counts.join(', ')}` }
  yield* compareExams(exams)
  const { preference = [] } = exams
  const isExplained = preference.some(({ explanation }) => explanation)
  if (preference.length > 0 && recipe.pair.whenNoWinner === 'gold-explanation' && !isExplained) {
    const message = `${locate(['pair', 'whenNoWinner'])}: pair.whenNoWinner: gold-explanation, but no question of exam.preference has an explanation: questions without a right sample are dropped.`
    yield { severity: 'warning', subject: 'exam', message }
  }
  return exams
}
