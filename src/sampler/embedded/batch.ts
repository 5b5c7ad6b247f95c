// The batch on its way: prompts in slots, their samples in rows, ended ones replaced by waiting ones.
import { UserError } from '../../base/errors.ts'
import { largestOf } from '../../base/extremes.ts'
import type { ModelConfig } from '../../model/config.ts'
import type { Completion, SamplingSettings } from '../sampler.ts'
import { KeyValueCache } from './cache.ts'
import { type Decoder, PROMPT_CHUNK, type StepResult } from './decoder.ts'
import type { EmbeddedOptions } from './embedded.ts'
import { drawLikeliest } from './selection.ts'
import type { Sequence, TokenRequest } from './sequence.ts'

/** How many prompts and samples a prompt are computed at once. */
export interface BatchShape {
  prompts: number
  samples: number
}

/** Prompts up to this length are cheap to look at, so few samples share one and rows seldom wait for each other's end. */
const SHORT_PROMPT_TOKENS = 128

/**
 * Long prompts are shared by as many samples as there are, short ones by two; and as many prompts as fit into `sequences` rows.
 * Without grouped heads a prompt has two rows at least: a product of a single row takes another path in ONNX Runtime,
 * with other last bits than the same row among several. In 8 bits the last one of an odd number of rows does: they are even there.
 */
export function chooseBatchShape(
  config: ModelConfig,
  requests: Pick<TokenRequest, 'prompt' | 'samples'>[],
  { sequences, precision }: EmbeddedOptions,
): BatchShape {
  const mostSamples = largestOf(
    requests.map(({ samples }) => samples),
    1,
  )
  const longest = largestOf(
    requests.map(({ prompt }) => prompt.length),
    0,
  )
  const fewestRows = config.heads === config.keyValueHeads ? 2 : 1
  const most = longest <= SHORT_PROMPT_TOKENS ? 2 : sequences
  const wanted = Math.max(fewestRows, Math.min(mostSamples, most, sequences))
  const samples = precision === 'int8' ? 2 * Math.ceil(wanted / 2) : wanted
  const slots = requests.reduce((total, request) => total + Math.ceil(request.samples / samples), 0)
  return { samples, prompts: Math.max(1, Math.min(slots, Math.floor(sequences / samples))) }
}

/** The smallest float32 above 0: a given token may have a probability that rounds to 0, whose logarithm no file can hold. */
const SMALLEST_FLOAT = 2 ** -149

/** At most this many tokens of prompts are computed in one run: enough to fill the matrix units, little enough for memory. */
const PROMPT_TOKENS_A_RUN = 1024

/** A prompt in the batch; it may hold several slots. */
interface Slot {
  readonly request: TokenRequest
  /** Samples that have been started. */
  started: number
}

/**
 * Samples every request once and yields completions as they end.
 *
 * Slot p's prompt, without its last token, is row p of the prefix cache; its samples are rows p*samples and following
 * of the tail cache. A sample's first step reads the prompt's last token, so a prompt needs no logits and a sample can
 * start at any time. A slot whose samples have all ended takes the next waiting prompt; when none waits, it helps another
 * slot that has samples to start; and when none has, the last slot moves into it and the batch shrinks. What a row computes
 * does not depend on the others.
 */
export class Batch {
  private readonly shape: BatchShape
  private readonly waiting: TokenRequest[]
  private readonly slots: (Slot | undefined)[]
  private readonly rows: (Sequence | undefined)[]
  private readonly prefixes: KeyValueCache
  private readonly tails: KeyValueCache
  private readonly decoder: Decoder
  private readonly settings: SamplingSettings
  private readonly start: (request: TokenRequest, sample: number) => Sequence

  constructor(
    decoder: Decoder,
    requests: TokenRequest[],
    shape: BatchShape,
    settings: SamplingSettings,
    start: (request: TokenRequest, sample: number) => Sequence,
  ) {
    this.decoder = decoder
    this.settings = settings
    this.start = start
    this.shape = shape
    // Longest first: prompts of like length share a batch, and the most memory is needed at the beginning.
    this.waiting = requests.filter((request) => request.samples > 0).sort((a, b) => a.prompt.length - b.prompt.length)
    this.slots = new Array(this.waiting.length === 0 ? 0 : shape.prompts).fill(undefined)
    this.rows = new Array(this.slots.length * shape.samples).fill(undefined)
    const prompts = Math.max(this.slots.length, decoder.fewestPrompts)
    this.prefixes = new KeyValueCache(decoder.config, prompts)
    this.tails = new KeyValueCache(decoder.config, prompts * shape.samples)
  }

  async *run(signal: AbortSignal): AsyncGenerator<Completion, void, undefined> {
    for (;;) {
      signal.throwIfAborted()
      await this.fillSlots()
      if (this.slots.length === 0) return
      this.fillRows()
      yield* await this.step()
    }
  }

  /** Gives empty slots to waiting prompts and computes those; lets the others help, or closes them. */
  private async fillSlots(): Promise<void> {
    const empty = [...this.slots.keys()].filter((slot) => this.slots[slot] === undefined)
    const fresh = empty.slice(0, this.waiting.length)
    for (const slot of fresh) {
      this.slots[slot] = { request: this.waiting.pop()!, started: 0 }
    }
    if (fresh.length > 0) await this.computePrompts(fresh)
    // From the last slot on, so that the slot which moves into a closed one is never empty itself.
    for (const slot of empty.slice(fresh.length).reverse()) {
      const helped = this.mostToStart()
      if (helped === undefined) {
        this.closeSlot(slot)
        continue
      }
      this.slots[slot] = this.slots[helped]
      this.prefixes.copyRow(helped, slot)
    }
  }

  /** The slot with the most samples that no free row of its prompt will take; undefined where there are none. */
  private mostToStart(): number | undefined {
    const unclaimed = new Map<Slot, { count: number; slot: number }>()
    this.slots.forEach((holder, slot) => {
      if (holder === undefined) return
      const known = unclaimed.get(holder) ?? { count: holder.request.samples - holder.started, slot }
      known.count -= this.rowsOf(slot).filter((sequence) => sequence === undefined).length
      unclaimed.set(holder, known)
    })
    const [most] = [...unclaimed.values()].filter(({ count }) => count > 0).sort((a, b) => b.count - a.count)
    return most?.slot
  }

  private rowsOf(slot: number): (Sequence | undefined)[] {
    return this.rows.slice(slot * this.shape.samples, (slot + 1) * this.shape.samples)
  }

  /** Computes the prompts of slots, some at a time. */
  private async computePrompts(slots: number[]): Promise<void> {
    const withoutLast = (slot: number) => this.slots[slot]!.request.prompt.slice(0, -1)
    this.prefixes.fit(Math.max(...this.slots.map((slot) => (slot?.request.prompt.length ?? 1) - 1)))
    for (let at = 0; at < slots.length; ) {
      const tokens = Math.min(PROMPT_CHUNK, Math.max(1, withoutLast(slots[at]!).length))
      const some = slots.slice(at, at + Math.max(1, Math.floor(PROMPT_TOKENS_A_RUN / tokens)))
      const computed = await this.decoder.computePrompts(some.map(withoutLast))
      for (const [row, slot] of some.entries()) this.prefixes.copyFrom(computed, row, slot)
      at += some.length
    }
  }

  /** The last slot moves into an empty one. */
  private closeSlot(slot: number): void {
    const last = this.slots.length - 1
    const { samples } = this.shape
    if (slot < last) {
      this.slots[slot] = this.slots[last]
      this.prefixes.copyRow(last, slot)
    }
    this.prefixes.clear(last)
    for (let i = 0; i < samples; i++) {
      const [from, to] = [last * samples + i, slot * samples + i]
      if (slot < last) {
        this.rows[to] = this.rows[from]
        this.tails.copyRow(from, to)
      }
      this.tails.clear(from)
    }
    this.slots.length = last
    this.rows.length = last * samples
  }

  private fillRows(): void {
    let longest = 0
    this.rows.forEach((sequence, row) => {
      const slot = this.slots[Math.floor(row / this.shape.samples)]!
      if (sequence === undefined) {
        this.tails.clear(row)
        if (slot.started < slot.request.samples) this.rows[row] = this.start(slot.request, slot.started++)
      }
      longest = Math.max(longest, this.tails.lengthOf(row))
    })
    this.tails.fit(longest + 1)
  }

  /** One token for every row. */
  private async step(): Promise<Completion[]> {
    const { samples } = this.shape
    const { choice } = this.decoder
    const rows = this.rows.map((sequence) => {
      if (sequence === undefined) return undefined
      const { lastToken, lastPosition, nextToken, random } = sequence
      const drawn = choice !== 'largest' && nextToken === undefined
      return { lastToken, lastPosition, nextToken, share: drawn ? random.uniform() : 0 }
    })
    while (rows.length < this.decoder.fewestPrompts * samples) rows.push(undefined)
    const step = await this.decoder.step(this.prefixes, this.tails, samples, rows, this.settings.temperature)
    const { newKeys, newValues, results } = step
    const finished: Completion[] = []
    this.rows.forEach((sequence, row) => {
      if (sequence === undefined) return
      const { token, probability } = this.successor(results, row, rows[row]!)
      if (token < 0 || !(probability >= 0)) {
        throw new UserError(
          `request ${sequence.request.id}: the model's output is not a number. Its weights are damaged or have exploded.`,
        )
      }
      this.tails.append(row, newKeys, newValues, row, 1, 1)
      const completion = sequence.accept(token, Math.log(Math.max(probability, SMALLEST_FLOAT)))
      if (completion === undefined) return
      finished.push(completion)
      this.rows[row] = undefined
    })
    this.slots.forEach((holder, slot) => {
      const busy = this.rowsOf(slot).some((sequence) => sequence !== undefined)
      if (busy || holder!.started < holder!.request.samples) return
      this.slots[slot] = undefined
      this.prefixes.clear(slot)
    })
    return finished
  }

  /** The next token of a row, -1 where its probabilities are no numbers, and its probability at temperature 1. */
  private successor(
    results: StepResult['results'],
    row: number,
    { nextToken, share }: { nextToken: number | undefined; share: number },
  ): { token: number; probability: number } {
    const { tokens, tokenProbabilities, givenProbabilities, probabilities, temperedProbabilities } = results
    if (tokens !== undefined) {
      return nextToken === undefined
        ? { token: tokens[row]!, probability: tokenProbabilities![row]! }
        : { token: nextToken, probability: givenProbabilities![row]! }
    }
    const size = this.decoder.config.vocabularySize
    const tempered = (temperedProbabilities as Float32Array).subarray(row * size, (row + 1) * size)
    const token = nextToken ?? drawLikeliest(tempered, this.settings, share)
    return { token, probability: probabilities![row * size + token]! }
  }
}
