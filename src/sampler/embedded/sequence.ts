// One sample on its way: its tokens so far, its own random numbers, and when it ends.
import { Random } from '../../base/random.ts'
import { TextStream } from '../../tokenizer/text-stream.ts'
import type { Tokenizer } from '../../tokenizer/tokenizer.ts'
import type { Completion, SamplingSettings } from '../sampler.ts'

/** A request as token ids. */
export interface TokenRequest {
  id: string
  prompt: number[]
  /** How many samples are to be written. */
  samples: number
  /** Which ones: their numbers among the request's samples. */
  numbers: number[]
  /** What each of the request's samples must be, where they are given. */
  continuations?: number[][]
}

export class Sequence {
  readonly request: TokenRequest
  readonly random: Random
  private readonly sample: number
  private readonly settings: SamplingSettings
  private readonly stopTokens: ReadonlySet<number>
  private readonly mostTokens: number
  private readonly given: number[] | undefined
  private readonly stream: TextStream
  private readonly tokens: number[] = []
  private readonly logProbabilities: number[] = []
  private finishReason: Completion['finishReason'] | undefined

  constructor(
    request: TokenRequest,
    sample: number,
    settings: SamplingSettings,
    model: { tokenizer: Tokenizer; stopTokens: ReadonlySet<number>; contextTokens: number },
  ) {
    this.request = request
    this.sample = sample
    this.settings = settings
    this.stopTokens = model.stopTokens
    this.given = request.continuations?.[sample]
    this.mostTokens = this.given?.length ?? Math.min(settings.maxTokens, model.contextTokens - request.prompt.length)
    this.random = new Random(settings.seed, 'sample', request.id, sample)
    this.stream = new TextStream(model.tokenizer, request.prompt)
  }

  /** The token that the next step reads: the newest, or the prompt's last. */
  get lastToken(): number {
    return this.tokens.at(-1) ?? this.request.prompt.at(-1)!
  }

  /** The token that must come next, where the sample is given. */
  get nextToken(): number | undefined {
    return this.given?.[this.tokens.length]
  }

  /** The position of `lastToken`. */
  get lastPosition(): number {
    return this.request.prompt.length - 1 + this.tokens.length
  }

  /** Takes the next token. Returns the completion where it was the last. */
  accept(token: number, logProbability: number): Completion | undefined {
    this.tokens.push(token)
    this.logProbabilities.push(logProbability)
    if (this.given !== undefined) {
      if (this.tokens.length === this.given.length) this.finishReason = 'end'
    } else if (this.stopTokens.has(token)) this.finishReason = 'end'
    else if (this.findStopString(token)) this.finishReason = 'stop-string'
    else if (this.tokens.length >= this.mostTokens) this.finishReason = 'length'
    return this.finishReason === undefined ? undefined : this.completion(this.finishReason)
  }

  private findStopString(token: number): boolean {
    const { stopStrings } = this.settings
    if (stopStrings.length === 0) return false
    const seen = this.stream.text.length
    this.stream.push(token)
    return stopStrings.some((stop) => this.stream.text.includes(stop, Math.max(0, seen - stop.length + 1)))
  }

  private completion(finishReason: Completion['finishReason']): Completion {
    const { stopStrings } = this.settings
    // Without stop strings nobody needed the text before. A token that ends a sample is no text, special or not.
    const isSeen = stopStrings.length > 0 && this.given === undefined
    const isStopped = finishReason === 'end' && this.given === undefined
    this.stream.end(...(isSeen ? [] : isStopped ? this.tokens.slice(0, -1) : this.tokens))
    const { text } = this.stream
    const places = stopStrings.map((stop) => text.indexOf(stop)).filter((place) => place >= 0)
    return {
      id: this.request.id,
      sample: this.sample,
      tokens: this.tokens,
      text: finishReason === 'stop-string' ? text.slice(0, Math.min(text.length, ...places)) : text,
      logProbabilities: this.logProbabilities,
      finishReason,
    }
  }
}
