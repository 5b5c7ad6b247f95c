// Sampling: the model explains the preference questions, many times each; every explanation is read and graded.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { internal } from '../../base/errors.ts'
import { readJsonLines } from '../../base/files.ts'
import { formatPercent } from '../../base/format.ts'
import { textKey } from '../../data/duplicates.ts'
import type { PairRow } from '../../data/records.ts'
import { JsonLinesWriter } from '../../data/row-writer.ts'
import { printPrompt } from '../../exam/prompts.ts'
import { stopStrings } from '../../exam/template.ts'
import type { SampledExplanation } from '../../preference/records.ts'
import { gradeSample } from '../../preference/samples.ts'
import type { Recipe } from '../../recipe/recipe.ts'
import type { Completion } from '../../sampler/sampler.ts'
import { loadTokenizer, type Tokenizer } from '../../tokenizer/tokenizer.ts'
import { locateServed, type ModelSource, reads, readsModels } from '../models.ts'
import { promptOptions, promptSettings, readsPrompts } from '../prompts.ts'
import { partialName, sampleAll } from '../sampling.ts'
import { samplerHosts, samplerIdentity } from '../served.ts'
import { roundSuffix, type Stage } from '../stage.ts'
import { loadQuestions, readsExam } from './exam.ts'

const samplesName = 'samples.jsonl'

export function sampleStage(recipe: Recipe, model: ModelSource, round: number): Stage {
  const { samples, temperature, topP, topK, maxTokens, sequences } = recipe.sample
  const roundTemperature = temperature[Math.min(round, temperature.length) - 1] ?? internal('no temperature')
  return {
    id: `sample-${model.name}${roundSuffix(round)}`,
    kind: 'sample',
    title: `Explanations of ${model.name}${recipe.prefer.rounds > 1 ? `, round ${round}` : ''}`,
    round,
    ...reads(readsModels({ 'model.folder': model }), readsExam(recipe, 'preference'), readsPrompts(recipe)),
    settings: {
      sample: { samples, temperature: roundTemperature, topP, topK, maxTokens },
      ...promptSettings(recipe),
      ...samplerIdentity(recipe),
      seed: recipe.seed,
    },
    async *run(work) {
      const items = await loadQuestions(recipe, work.runFolder, 'preference')
      const options = await promptOptions(recipe, work.runFolder)
      const requests = items.map((item) => ({
        id: `${item.id}/${round}`,
        prompt: printPrompt(item, 'explain', options),
        samples,
      }))
      const settings = {
        maxTokens,
        temperature: roundTemperature,
        topP,
        topK,
        stopTokens: [],
        stopStrings: stopStrings(options.template, options.shots.length),
        seed: recipe.seed,
      }
      const reference = locateServed(model, work.runFolder)
      const tokenizer = await loadTokenizer(reference.folder)
      const drawn = yield* sampleAll(work, reference, requests, settings, sequences)
      let [written, right] = [0, 0]
      const writer = await JsonLinesWriter.open(join(work.folder, samplesName))
      try {
        for (const [i, item] of items.entries()) {
          for (const completion of await drawn.read(i)) {
            const graded = gradeSample(withTokens(completion, tokenizer), item, round, options)
            written++
            if (graded.correct) right++
            await writer.write(graded)
          }
        }
        await writer.close()
      } finally {
        await writer.discard()
        await drawn.close()
      }
      await rm(join(work.folder, partialName), { force: true })
      return {
        outputs: [samplesName],
        hosts: samplerHosts(recipe),
        summary: `${written} explanations of ${items.length} questions, ${formatPercent(right / written)} right`,
      }
    },
  }
}

/** Where a server gives no token ids, they are those of its text, and the end token where it ended by itself. */
function withTokens(completion: Completion, tokenizer: Tokenizer): Completion {
  if (completion.tokens.length > 0) return completion
  const end = completion.finishReason === 'end' ? [tokenizer.endToken] : []
  return { ...completion, tokens: [...tokenizer.encodeContinuation(completion.text), ...end] }
}

/** The dependency of a stage that reads a sample stage's explanations. */
export function readsSamples(sample: Stage): { dependencies: { stage: string; path: string }[] } {
  return { dependencies: [{ stage: sample.id, path: samplesName }] }
}

/** A sample stage's explanations, one question in memory at a time. */
export async function* readSampledQuestions(
  runFolder: string,
  sample: Stage,
): AsyncGenerator<[question: string, samples: SampledExplanation[]]> {
  let samples: SampledExplanation[] = []
  for await (const { value } of readJsonLines(join(runFolder, sample.id, samplesName))) {
    const one = value as SampledExplanation
    const question = samples[0]?.question ?? one.question
    if (one.question === question) {
      samples.push(one)
      continue
    }
    yield [question, samples]
    samples = [one]
  }
  if (samples[0] !== undefined) yield [samples[0].question, samples]
}

/**
 * The mean log-probability that pairs' chosen and rejected responses had while they were sampled, nats; NaN where one was not
 * sampled. Pairs and samples are read one at a time; of each response 64 bits and a number are kept.
 */
export async function meanSampled(
  runFolder: string,
  sample: Stage,
  pairsFile: string,
): Promise<{ chosen: number; rejected: number }> {
  const keyOf = (question: string, tokens: readonly number[]) => textKey(`${question} ${tokens.join()}`)
  const sums = new Map<bigint, number>()
  let pairs = 0
  for await (const { question, chosenTokens, rejectedTokens } of readPairs(pairsFile)) {
    pairs++
    for (const tokens of [chosenTokens, rejectedTokens]) sums.set(keyOf(question, tokens), Number.NaN)
  }
  for await (const { value } of readJsonLines(join(runFolder, sample.id, samplesName))) {
    const { question, tokens, logProbabilities } = value as SampledExplanation
    const key = keyOf(question, tokens)
    if (!sums.has(key) || logProbabilities.length !== tokens.length) continue
    sums.set(
      key,
      logProbabilities.reduce((sum, one) => sum + one, 0),
    )
  }
  const means = { chosen: 0, rejected: 0 }
  for await (const { question, chosenTokens, rejectedTokens } of readPairs(pairsFile)) {
    means.chosen += (sums.get(keyOf(question, chosenTokens)) ?? Number.NaN) / pairs
    means.rejected += (sums.get(keyOf(question, rejectedTokens)) ?? Number.NaN) / pairs
  }
  return means
}

async function* readPairs(file: string): AsyncGenerator<PairRow> {
  for await (const { value } of readJsonLines(file)) yield value as PairRow
}
