// What is looked at before a model is written for others: what makes it run on, or be refused, elsewhere.
import { openAdapter, vllmRanks } from '../formats/adapter.ts'
import { checkWeights } from '../model/checkpoint.ts'
import { loadModelConfig, type ModelConfig } from '../model/config.ts'
import { loadTokenizer, type Tokenizer } from '../tokenizer/tokenizer.ts'
import { endTokensOf, readChatTemplate } from './model-folder.ts'
import { findUntrainedRows, type UntrainedRow } from './untrained-rows.ts'

/** What a check found, by name, and in words with what to do. */
export interface Problem {
  name:
    | 'untrained-end-token'
    | 'untrained-marker'
    | 'end-not-learnt'
    | 'no-chat-template'
    | 'too-many-end-tokens'
    | 'refused-adapter'
    | 'another-base'
  message: string
  /** Whoever runs the model would get text that does not end: it is not written unless told to. */
  isFatal?: boolean
}

/** What is known of how the model was trained. */
export interface TrainingFacts {
  /** How often the end token was to be predicted, over all training rows; undefined where the rows are not known. */
  endTargets: number | undefined
  /** Whether embedding and head were trained too, or only adapters on linear layers. */
  trainsRows: boolean
}

/**
 * Looks over a whole model folder.
 * @throws UserError where it cannot be opened: a missing tensor, a head beside tied embeddings that differs from them.
 */
export async function checkModel(folder: string, facts: TrainingFacts): Promise<Problem[]> {
  const { config } = await checkWeights(folder)
  const parts = await loadParts(folder, config)
  const { tokenizer, template, ends } = parts
  const problems = [...(await checkRows(folder, parts, facts)), ...checkEnd(tokenizer, facts)]
  if (template === undefined) {
    problems.push({
      name: 'no-chat-template',
      message:
        'there is no chat template: programs that chat will use one of their own, which the model never saw. Write one with --template plain.',
    })
  }
  if (ends.length > 3) {
    problems.push({
      name: 'too-many-end-tokens',
      message: `${ends.length} tokens end an answer, and GGUF has room for 3: the others count only where llama.cpp knows them by their spelling.`,
    })
  }
  return problems
}

/** Looks at the rows of every token that ends an answer or that the chat template writes. */
export async function checkTokens(folder: string, facts: Pick<TrainingFacts, 'trainsRows'>): Promise<Problem[]> {
  return checkRows(folder, await loadParts(folder, await loadModelConfig(folder)), facts)
}

/** What says which tokens a model folder must know. */
interface TokenParts {
  config: ModelConfig
  tokenizer: Tokenizer
  template: string | undefined
  /** All tokens that end an answer. */
  ends: number[]
}

async function loadParts(folder: string, config: ModelConfig): Promise<TokenParts> {
  const tokenizer = await loadTokenizer(folder)
  return { config, tokenizer, template: await readChatTemplate(folder), ends: endTokensOf(tokenizer, config) }
}

async function checkRows(
  folder: string,
  { config, tokenizer, template, ends }: TokenParts,
  { trainsRows }: Pick<TrainingFacts, 'trainsRows'>,
): Promise<Problem[]> {
  const markers = template === undefined ? [] : markersOf(template, tokenizer)
  const tokens = [...new Set([...ends, ...markers])]
  const untrained = await findUntrainedRows(folder, config, tokens, tokenizer.vocabularySize)
  return tokens.flatMap((token) => {
    // Who only reads a marker needs its embedding; who must write the end, its row of the head.
    const isEnd = ends.includes(token)
    const row = untrained.find((one) => one.token === token && (!isEnd || one.table === 'head'))
    return row === undefined ? [] : describeUntrained(row, isEnd, tokenizer, trainsRows)
  })
}

/** Special tokens that a chat template writes. */
function markersOf(template: string, tokenizer: Tokenizer): number[] {
  const markers: number[] = []
  for (const spelling of template.match(/<[|｜]?[\w▁ /-]{1,40}[|｜]?>|\[\/?[A-Z_]{2,20}\]/g) ?? []) {
    const token = tokenizer.idOf(spelling)
    if (token !== undefined && tokenizer.isSpecial(token)) markers.push(token)
  }
  return markers
}

function describeUntrained(
  { token, table, alike }: UntrainedRow,
  isEnd: boolean,
  tokenizer: Tokenizer,
  trainsRows: boolean,
): Problem {
  const name = `${tokenizer.spelling(token)} (${token})`
  const rows = `its row of the ${table} cannot be told from ${alike} others that no text trained`
  const why = trainsRows ? '' : ', and adapters on linear layers do not train it'
  if (!isEnd) {
    return {
      name: 'untrained-marker',
      message: `the chat template writes ${name}, but ${rows}${why}: in place of the next marker any stray word may stand. Use a template without it (--template plain), or train the rows.`,
    }
  }
  return {
    name: 'untrained-end-token',
    // The others stand beside the one that answers end with in training.
    isFatal: token === tokenizer.endToken,
    message: `${name} ends an answer, but ${rows}${why}: the model will write a stray word in its place and run on. End with a token that was trained, or train the rows and ship whole weights.`,
  }
}

/** Whether training showed the model where an answer ends. */
function checkEnd(tokenizer: Tokenizer, { endTargets }: TrainingFacts): Problem[] {
  if (endTargets !== 0) return []
  const spelling = tokenizer.spelling(tokenizer.endToken)
  const isPad = tokenizer.padToken === tokenizer.endToken
  return [
    {
      name: 'end-not-learnt',
      isFatal: true,
      message: isPad
        ? `${spelling} is padding and end in one, and no training row has it to predict: it was masked out of the loss with the padding, and the model never learnt to stop.`
        : `no training row has ${spelling} to predict: the model never learnt to stop there.`,
    },
  ]
}

/**
 * What vLLM would refuse of an adapter folder, and what it does not say of the base. What openAdapter refuses
 * (modules_to_save among it) is a UserError.
 * @param quantisedBases how many of the adapters that it joins were trained against a base in few bits.
 */
export async function checkAdapter(folder: string, quantisedBases = 0): Promise<Problem[]> {
  const { config } = await openAdapter(folder)
  const problems: Problem[] = []
  if (!vllmRanks.includes(config.rank)) {
    problems.push({
      name: 'refused-adapter',
      message: `the adapter's rank is ${config.rank}; vLLM takes ${vllmRanks.join(', ')}. Ship whole weights (--format safetensors).`,
    })
  }
  if (quantisedBases > 0) {
    const more = quantisedBases > 1 ? ', and later ones on what was merged and quantised again, which no base has' : ''
    problems.push({
      name: 'another-base',
      message: `the adapter was trained on the base in few bits (base: nf4 or int8)${more}: on the base as it is published it makes another model. Ship whole weights (--format safetensors).`,
    })
  }
  return problems
}
