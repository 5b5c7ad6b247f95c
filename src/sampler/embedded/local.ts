// The embedded sampler in the calling thread: opens a model, checks requests, keeps one compiled graph at hand.
import { UserError } from '../../base/errors.ts'
import { largestOf } from '../../base/extremes.ts'
import type { Estimate, ModelReference } from '../../engine/engine.ts'
import { type Checkpoint, openCheckpoint } from '../../model/checkpoint.ts'
import type { Choice } from '../../model/decode.ts'
import { loadTokenizer, type Tokenizer } from '../../tokenizer/tokenizer.ts'
import {
  type Completion,
  capabilities,
  isTokens,
  missingSamples,
  type SampleRequest,
  type Sampler,
  type SamplingSettings,
} from '../sampler.ts'
import { Batch, chooseBatchShape } from './batch.ts'
import { Decoder } from './decoder.ts'
import type { EmbeddedOptions } from './embedded.ts'
import { estimateSampling } from './estimate.ts'
import { Sequence, type TokenRequest } from './sequence.ts'

/** Rotary tables are made for this many positions, or twice as many, and so on: most requests need one table. */
const FIRST_POSITIONS = 2048

/** Opens a model for sampling. Computing blocks this thread; `openEmbeddedSampler` does it in another. */
export async function openLocalSampler(model: ModelReference, options: EmbeddedOptions): Promise<LocalSampler> {
  const tokenizer = await loadTokenizer(model.folder)
  return new LocalSampler(
    model,
    tokenizer,
    options,
    await openCheckpoint(model, FIRST_POSITIONS, options.precision ?? 'float32'),
  )
}

export class LocalSampler implements Sampler {
  readonly capabilities = new Set(capabilities)
  readonly hosts = []
  private readonly model: ModelReference
  private readonly tokenizer: Tokenizer
  private readonly options: EmbeddedOptions
  private checkpoint: Checkpoint
  private positions = FIRST_POSITIONS
  private decoder: Decoder | undefined
  /** The end of the call before: calls take turns, since they share the compiled graph. */
  private turn: Promise<void> = Promise.resolve()

  constructor(model: ModelReference, tokenizer: Tokenizer, options: EmbeddedOptions, checkpoint: Checkpoint) {
    this.model = model
    this.tokenizer = tokenizer
    this.options = options
    this.checkpoint = checkpoint
  }

  async *sample(
    requests: SampleRequest[],
    settings: SamplingSettings,
    signal: AbortSignal,
  ): AsyncGenerator<Completion, void, undefined> {
    signal.throwIfAborted()
    const tokenRequests = this.tokenise(requests)
    const { config } = this.checkpoint
    const stopTokens = new Set([...this.tokenizer.endTokens, ...config.endOfSequence, ...settings.stopTokens])
    const start = (request: TokenRequest, sample: number) =>
      new Sequence(request, request.numbers[sample]!, settings, {
        tokenizer: this.tokenizer,
        stopTokens,
        contextTokens: config.contextTokens,
      })
    const endTurn = await this.takeTurn()
    try {
      const given = tokenRequests.flatMap(({ continuations = [] }) => continuations.map(({ length }) => length))
      const prompts = tokenRequests.map(({ prompt }) => prompt.length)
      const longest = largestOf(prompts, 0) + largestOf(given, settings.maxTokens)
      const decoder = await this.openDecoder(choiceFor(settings), Math.min(longest, config.contextTokens))
      const shape = chooseBatchShape(config, tokenRequests, this.options)
      yield* new Batch(decoder, tokenRequests, shape, settings, start).run(signal)
    } finally {
      endTurn()
    }
  }

  async estimate(requests: SampleRequest[], settings: SamplingSettings): Promise<Estimate> {
    return estimateSampling(this.checkpoint.config, this.tokenise(requests), settings, this.options)
  }

  /** Of each prompt the logits [vocabulary] of what follows it. */
  async *logits(prompts: number[][]): AsyncGenerator<Float32Array> {
    const endTurn = await this.takeTurn()
    try {
      const decoder = await this.openDecoder('logits', Math.max(...prompts.map(({ length }) => length)))
      for (const prompt of prompts) yield await decoder.followPrompt(prompt)
    } finally {
      endTurn()
    }
  }

  async close(): Promise<void> {
    const endTurn = await this.takeTurn()
    await this.decoder?.release()
    this.decoder = undefined
    endTurn()
  }

  private tokenise(requests: SampleRequest[]): TokenRequest[] {
    const { contextTokens, vocabularySize } = this.checkpoint.config
    return requests.map((request) => {
      const { id } = request
      const prompt = this.encode(request.prompt)
      const continuations = request.continuations?.map((text) => this.tokenizer.encodeContinuation(text))
      const refuse = (reason: string): never => {
        throw new UserError(`request ${id}: ${reason}`)
      }
      if (prompt.length === 0) refuse('the prompt is empty. Give at least one token.')
      const empty = continuations?.findIndex(({ length }) => length === 0) ?? -1
      if (empty >= 0) refuse(`continuation ${empty} is empty. Give at least one token.`)
      if (prompt.length + Math.max(0, ...(continuations ?? []).map(({ length }) => length - 1)) >= contextTokens) {
        refuse(
          `the prompt has ${prompt.length} tokens; the model's context of ${contextTokens} has no room for an answer. Shorten the prompt.`,
        )
      }
      const foreign = prompt.find((token) => !(Number.isInteger(token) && token >= 0 && token < vocabularySize))
      if (foreign !== undefined) {
        refuse(
          `token ${foreign} is outside the model's vocabulary of ${vocabularySize}. Is the tokenizer another model's?`,
        )
      }
      const numbers = missingSamples(request)
      return { id, prompt, samples: numbers.length, numbers, ...(continuations && { continuations }) }
    })
  }

  private encode(prompt: SampleRequest['prompt']): number[] {
    if (typeof prompt === 'string') return this.tokenizer.encode(prompt)
    return isTokens(prompt) ? prompt : this.tokenizer.encodeChat(prompt)
  }

  /** The compiled graph for a way of choosing, for at least so many positions. One is held at a time: each packs the weights anew. */
  private async openDecoder(choice: Choice, positions: number): Promise<Decoder> {
    const fits = positions <= this.positions
    if (this.decoder !== undefined && this.decoder.choice === choice && fits) return this.decoder
    await this.decoder?.release()
    this.decoder = undefined
    if (!fits) {
      while (this.positions < positions) this.positions *= 2
      this.checkpoint = await openCheckpoint(this.model, this.positions, this.options.precision ?? 'float32')
    }
    const { threads } = this.options
    this.decoder = await Decoder.open(this.checkpoint, { choice, positions: this.positions, threads })
    return this.decoder
  }

  private async takeTurn(): Promise<() => void> {
    const before = this.turn
    let end = () => {}
    this.turn = new Promise((resolve) => {
      end = resolve
    })
    await before
    return end
  }
}

function choiceFor({ temperature, topK, topP }: SamplingSettings): Choice {
  if (temperature === 0) return 'largest'
  return topK > 0 || topP < 1 ? 'probabilities' : 'drawn'
}
