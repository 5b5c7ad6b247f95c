// The decode-step graph compiled on a model's weights, and its two uses: computing prompts, and one token for every row.
import type { Checkpoint } from '../../model/checkpoint.ts'
import type { ModelConfig } from '../../model/config.ts'
import { buildDecodeStep, type Choice, cacheNames } from '../../model/decode.ts'
import { Weights } from '../../model/weights.ts'
import { compile, type Executable, type Tensor } from '../../runtime/session.ts'
import { KeyValueCache } from './cache.ts'
import type { Sequence } from './sequence.ts'

/** What a step gives: new keys and values a layer, and the results that `Choice` names. */
export interface StepResult {
  newKeys: Float32Array[]
  newValues: Float32Array[]
  results: Record<string, Float32Array | Int32Array>
}

/** Where a row stands, which token must come next if one must, and by what share of the distribution one is drawn. */
type Place = Pick<Sequence, 'lastToken' | 'lastPosition' | 'nextToken'> & { share: number }

/** At most this many tokens of a prompt are computed in one run: attention among them is quadratic, masked half included. */
export const PROMPT_CHUNK = 256
/** A run has a multiple of this many tokens a prompt, so that vector lanes are filled. */
const TOKEN_BLOCK = 16

/** Results that are whole rows over the vocabulary; none where the graph itself chooses tokens. */
const wholeRows: Readonly<Record<Choice, readonly string[]>> = {
  largest: [],
  drawn: [],
  probabilities: ['probabilities', 'temperedProbabilities'],
  logits: ['logits'],
}

export class Decoder {
  readonly config: ModelConfig
  private readonly executable: Executable
  readonly choice: Choice
  /**
   * Runs have this many prompts at least. ONNX Runtime shares one product between threads only where there are fewer
   * products (prompts x key-value heads) than half the threads, and then sums in another order: other last bits.
   */
  readonly fewestPrompts: number
  /** Results that every step writes anew, by name: the largest length asked for so far. */
  private readonly results = new Map<string, Float32Array>()

  private constructor(config: ModelConfig, executable: Executable, choice: Choice, threads: number) {
    this.config = config
    this.executable = executable
    this.choice = choice
    this.fewestPrompts = Math.ceil((Math.floor(threads / 2) + 1) / config.keyValueHeads)
  }

  /** Compiles the graph on a checkpoint's weights; `positions` is the length of its rotary tables. */
  static async open(checkpoint: Checkpoint, options: { choice: Choice; positions: number; threads: number }) {
    const { config, lora, base, folder, place } = checkpoint
    const weights = new Weights(config, { positions: options.positions, lora, base })
    const graph = buildDecodeStep(weights, options.choice)
    const executable = await compile(graph, { weights: place, weightsFolder: folder, threads: options.threads })
    return new Decoder(config, executable, options.choice, options.threads)
  }

  release(): Promise<void> {
    return this.executable.release()
  }

  /** Keys and values of prompts, one a row. What a row gets does not depend on the others. */
  async computePrompts(given: number[][]): Promise<KeyValueCache> {
    const prompts = [...given]
    while (prompts.length < this.fewestPrompts) prompts.push([])
    const longest = Math.max(...prompts.map((prompt) => prompt.length))
    const computed = new KeyValueCache(this.config, prompts.length)
    const noTail = new KeyValueCache(this.config, prompts.length)
    for (let from = 0; from < longest; from += PROMPT_CHUNK) {
      const tokens = Math.ceil(Math.min(longest - from, PROMPT_CHUNK) / TOKEN_BLOCK) * TOKEN_BLOCK
      const read = prompts.map((prompt) => prompt.slice(from, from + tokens))
      const tokenIds = new Int32Array(prompts.length * tokens)
      const positions = new Int32Array(prompts.length * tokens) // padding stands at position 0 and is seen by nobody
      for (const [row, ids] of read.entries()) {
        tokenIds.set(ids, row * tokens)
        for (let i = 0; i < ids.length; i++) positions[row * tokens + i] = from + i
      }
      const { newKeys, newValues } = await this.run({
        prefix: computed.view([prompts.length, 1, 1]),
        tail: noTail.view([prompts.length, 1, 1]),
        tokens,
        tokenIds,
        positions,
        picks: new Int32Array(1), // nobody asks what follows a prompt: a sample's first step does
        choosers: [undefined],
        temperature: 1,
      })
      computed.fit(from + tokens)
      for (const [row, ids] of read.entries()) computed.append(row, newKeys, newValues, row, tokens, ids.length)
    }
    return computed
  }

  /** The logits [vocabulary] of what follows a prompt, from a decoder of logits. */
  async followPrompt(prompt: number[]): Promise<Float32Array> {
    const prefix = await this.computePrompts([prompt.slice(0, -1)])
    const tails = new KeyValueCache(this.config, this.fewestPrompts)
    const rows = new Array<Place | undefined>(this.fewestPrompts).fill(undefined)
    rows[0] = { lastToken: prompt.at(-1)!, lastPosition: prompt.length - 1, nextToken: undefined, share: 0 }
    const { results } = await this.step(prefix, tails, 1, rows, 1)
    return (results.logits as Float32Array).slice(0, this.config.vocabularySize)
  }

  /** Reads the last token of every row; rows without a sequence compute something that nobody looks at. */
  step(
    prefixes: KeyValueCache,
    tails: KeyValueCache,
    samples: number,
    rows: (Place | undefined)[],
    temperature: number,
  ) {
    const prompts = rows.length / samples
    return this.run({
      prefix: prefixes.view([prompts, 1, 1]),
      tail: tails.view([prompts, samples, 1]),
      tokens: 1,
      tokenIds: Int32Array.from(rows, (sequence) => sequence?.lastToken ?? 0),
      positions: Int32Array.from(rows, (sequence) => sequence?.lastPosition ?? 0),
      picks: Int32Array.from(rows, (_, row) => row),
      choosers: rows,
      temperature,
    })
  }

  private async run(step: {
    prefix: ReturnType<KeyValueCache['view']>
    tail: ReturnType<KeyValueCache['view']>
    tokens: number
    tokenIds: Int32Array
    positions: Int32Array
    picks: Int32Array
    choosers: readonly (Place | undefined)[]
    temperature: number
  }): Promise<StepResult> {
    const { prefix, tail, tokens, tokenIds, positions, picks, choosers } = step
    const { layers, keyValueHeads, headWidth, vocabularySize } = this.config
    const rows = tokenIds.length / tokens
    const feeds: Record<string, Tensor> = {
      tokenIds: { shape: [tokenIds.length], data: tokenIds },
      positions: { shape: [rows, tokens], data: positions },
      tokenBias: { shape: [tokens, tokens], data: causalBias(tokens) },
      prefixBias: prefix.bias,
      tailBias: tail.bias,
      picks: { shape: [picks.length], data: picks },
    }
    const into: Record<string, Tensor> = {}
    const newShape = [rows, keyValueHeads, tokens, headWidth]
    for (let layer = 0; layer < layers; layer++) {
      const names = cacheNames(layer)
      feeds[names.prefixKeys] = prefix.keys[layer]!
      feeds[names.prefixValues] = prefix.values[layer]!
      feeds[names.tailKeys] = tail.keys[layer]!
      feeds[names.tailValues] = tail.values[layer]!
      into[names.newKeys] = this.resultFor(names.newKeys, newShape)
      into[names.newValues] = this.resultFor(names.newValues, newShape)
    }
    const perPick = { shape: [picks.length] }
    if (wholeRows[this.choice].length === 0) {
      feeds.given = { ...perPick, data: Int32Array.from(choosers, (place) => place?.nextToken ?? 0) }
    }
    if (this.choice === 'drawn') {
      feeds.shares = { ...perPick, data: Float32Array.from(choosers, (place) => roundShare(place?.share ?? 0)) }
    }
    if (this.choice === 'drawn' || this.choice === 'probabilities') {
      feeds.inverseTemperature = { shape: [1], data: Float32Array.of(1 / step.temperature) }
    }
    for (const name of wholeRows[this.choice]) into[name] = this.resultFor(name, [picks.length, vocabularySize])
    const results = await this.executable.run(feeds, into)
    const perLayer = (kind: 'newKeys' | 'newValues') =>
      Array.from({ length: layers }, (_, layer) => into[cacheNames(layer)[kind]]!.data as Float32Array)
    return {
      newKeys: perLayer('newKeys'),
      newValues: perLayer('newValues'),
      results: Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data])),
    }
  }

  private resultFor(name: string, shape: number[]): Tensor {
    const size = shape.reduce((a, b) => a * b, 1)
    let data = this.results.get(name)
    if (data === undefined || data.length < size) {
      data = new Float32Array(size)
      this.results.set(name, data)
    }
    return { shape, data: data.subarray(0, size) }
  }
}

/** Down to float32's steps below 1, so that a share stays below 1. */
const roundShare = (share: number) => Math.floor(share * 2 ** 24) / 2 ** 24

/** [tokens, tokens]: 0 where a token sees itself or an earlier one. */
function causalBias(tokens: number): Float32Array {
  return Float32Array.from({ length: tokens * tokens }, (_, i) =>
    i % tokens > Math.floor(i / tokens) ? Number.NEGATIVE_INFINITY : 0,
  )
}
