// Settings of training, sampling, pairing and examining. The paper (arXiv 2504.18080) leaves learning rates, LoRA sizes,
// pairs and samples unpublished: where a default stands in for one, it is that of Iterative RPO (arXiv 2404.19733), and says so.
import { z } from 'zod'
import { count, countOrZero, positive, setting, share } from './setting.ts'

const linearLayers = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const

interface TrainingDefaults {
  method: 'lora' | 'full'
  learningRate: number
  learningRateHelp: string
  schedule: 'cosine' | 'linear'
  finalLearningRateShare: number
  weightDecay: number
  accumulate: number
}

/** What all trainings share. */
function optimization(defaults: TrainingDefaults) {
  return {
    method: setting(
      z.enum(['lora', 'full']).default(defaults.method),
      'lora: low-rank adapters, merged at the end; full: all weights.',
    ),
    base: setting(
      z.enum(['float32', 'nf4', 'int8']).default('float32'),
      'How the frozen weights are held (lora): nf4 in 4 bits, as in QLoRA, with a seventh of the memory; int8 in 8 bits, with half of the memory and products of integers, which are more than twice as quick as float32 ones (the embedded engine alone), for models without outlier channels: where the loss before the first step is above that in float32, use float32. Adapters are merged into the very weights that they were trained against.',
    ),
    rank: setting(count().default(16), 'Rank of the adapters (lora). Not published for the paper.'),
    alpha: setting(positive().default(32), 'Scale of the adapters: alpha / rank (lora).'),
    rankStabilised: setting(
      z.boolean().default(false),
      'Scale the adapters by alpha / sqrt(rank), so that a high rank learns as quickly as a low one (lora).',
    ),
    dropout: setting(
      z.number().min(0).lt(1).default(0),
      "Share of the adapters' inputs that is left out in each training step (lora).",
    ),
    modules: setting(
      z
        .array(z.enum(linearLayers))
        .min(1)
        .default([...linearLayers]),
      'Linear layers that get adapters (lora).',
    ),
    epochs: setting(positive().default(1), 'Passes over the data.'),
    steps: setting(count().optional(), 'Optimizer steps, in place of epochs.'),
    accumulate: setting(count().default(defaults.accumulate), 'Micro-batches an optimizer step.'),
    learningRate: setting(positive().default(defaults.learningRate), defaults.learningRateHelp),
    finalLearningRateShare: setting(
      share().default(defaults.finalLearningRateShare),
      'What the learning rate falls to, as a share of its peak.',
    ),
    schedule: setting(
      z.enum(['cosine', 'linear', 'constant']).default(defaults.schedule),
      'How the learning rate falls after the warm-up.',
    ),
    warmupSteps: setting(countOrZero().default(10), 'Steps over which the learning rate rises.'),
    weightDecay: setting(z.number().min(0).default(defaults.weightDecay), 'Decoupled weight decay (AdamW).'),
    adamBeta1: setting(z.number().min(0).lt(1).default(0.9), "AdamW's decay of the mean."),
    adamBeta2: setting(z.number().min(0).lt(1).default(0.98), "AdamW's decay of the square."),
    adamEpsilon: setting(positive().default(1e-8), "AdamW's term against division by zero."),
    clipNorm: setting(positive().default(1), 'Global norm that gradients are clipped to.'),
    recompute: setting(
      z.enum(['auto', 'none', 'layers']).default('auto'),
      'layers: compute each layer again in the backward pass: the same bits, about a third more time, half the memory or less; none: keep everything; auto: layers only where memory would not do otherwise.',
    ),
    evaluateEverySteps: setting(
      count().default(50),
      'How often held-out loss (and preference accuracy) is measured; also before the first and after the last step.',
    ),
    checkpointEverySteps: setting(
      count().default(100),
      'How often a checkpoint is saved; a killed run goes on from the last one.',
    ),
    keepCheckpoints: setting(count().default(1), 'How many checkpoints stay on disk.'),
    keep: setting(
      z.enum(['last', 'best']).default('last'),
      'Which weights count: of the last step, or of the lowest held-out loss.',
    ),
  }
}

/** Next-token training: continued pretraining, and the foundation. */
export function nextTokenSettings(method: 'lora' | 'full') {
  return z.strictObject({
    ...optimization({
      method,
      learningRate: 1e-4,
      learningRateHelp:
        'Peak learning rate. Not published for the paper; 1e-4 is customary for LoRA, a tenth of it for full training.',
      schedule: 'cosine',
      finalLearningRateShare: 0.1,
      weightDecay: 0.01,
      accumulate: 8,
    }),
    batchTokens: setting(count().default(2048), 'Tokens a micro-batch, padding included.', { unit: 'tokens' }),
  })
}

export const sampleSettings = z.strictObject({
  samples: setting(count().default(30), "Explanations a question (Iterative RPO's N)."),
  temperature: setting(
    z.array(positive()).min(1).default([0.8]),
    'Temperature of each round; the last one holds for all further rounds (Iterative RPO: 0.8, later 1.3).',
  ),
  topP: setting(
    positive().max(1).default(1),
    'Nucleus: the smallest set of tokens with this probability; 1 keeps all.',
  ),
  topK: setting(countOrZero().default(0), 'Only the k likeliest tokens; 0 keeps all.'),
  maxTokens: setting(count().default(512), 'Longest explanation; longer ones are truncated.', { unit: 'tokens' }),
  sequences: setting(count().default(64), 'Sequences written at the same time; sets memory, not results.'),
})

export const pairSettings = z.strictObject({
  pairsPerQuestion: setting(count().default(10), "At most this many pairs a question (Iterative RPO's K)."),
  goldAsWinner: setting(
    z.boolean().default(true),
    "The exam's own explanation joins the winners, where there is one (Iterative RPO).",
  ),
  unreadableAsLoser: setting(z.boolean().default(true), 'Explanations without a readable answer count as losers.'),
  truncatedAsLoser: setting(
    z.boolean().default(false),
    'Explanations that did not end within maxTokens count as losers.',
  ),
  whenNoWinner: setting(
    z.enum(['gold-explanation', 'gold-answer', 'drop']).default('gold-explanation'),
    "Where no sample is right: the exam's explanation wins, or the bare right answer does, or the question is dropped.",
  ),
  heldOutShare: setting(
    share().default(0.05),
    'Seeded share of questions whose pairs are only measured (held-out preference accuracy).',
  ),
  maxTokens: setting(
    count().default(2048),
    'Pairs whose prompt and longer response exceed this are dropped, never cut.',
    { unit: 'tokens' },
  ),
  verdicts: setting(
    z.string().min(1).optional(),
    "File of experts' verdicts on pairs, JSON Lines: {pair, verdict: accept | reject | swap | edit, text?, by, time}.",
    { path: true },
  ),
})

export const preferSettings = z.strictObject({
  beta: setting(positive().default(0.1), "Weight of the log-probability ratios (beta; Iterative RPO's)."),
  nllWeight: setting(
    positive().default(1),
    "Weight of the winners' mean negative log-likelihood (the formula's alpha; Iterative RPO's). Of rpo alone: dpo has no such term, winners nothing else.",
  ),
  reference: setting(
    z.enum(['previous-round', 'first']).default('previous-round'),
    "The reference model: that of the round before (Iterative RPO), or the first round's.",
  ),
  rounds: setting(count().default(1), 'Rounds of sampling, pairing and training (Iterative RPO: up to 4).'),
  pairsPerStep: setting(count().default(16), "Pairs an optimizer step (Iterative RPO's batch)."),
  ...optimization({
    method: 'lora',
    learningRate: 1e-5,
    learningRateHelp:
      'Peak learning rate. Iterative RPO has 7e-7 for full training; adapters need ten to a hundred times that.',
    schedule: 'linear',
    finalLearningRateShare: 0.05,
    weightDecay: 0,
    accumulate: 1,
  }),
})

export const examineSettings = z.strictObject({
  ways: setting(
    z
      .array(z.enum(['answer', 'explain']))
      .min(1)
      .default(['answer', 'explain']),
    'Answer at once, or explain first and then answer.',
  ),
  answerTokens: setting(count().default(16), 'Longest output when answering at once.', { unit: 'tokens' }),
  explainTokens: setting(count().default(512), 'Longest output when explaining.', { unit: 'tokens' }),
  sequences: setting(count().default(64), 'Sequences written at the same time; sets memory, not results.'),
})

export const reportSettings = z.strictObject({
  probeQuestions: setting(
    countOrZero().default(3),
    'Test questions whose explanations are followed over the steps of each training.',
  ),
  probeSnapshots: setting(
    count().min(2).default(4),
    'At how many points of each training, first and last step included.',
  ),
})

export const variantNames = ['base', 'cpt', 'cpt+rpo', 'cpt+dpo', 'cpt+winners', 'rpo'] as const
export type VariantName = (typeof variantNames)[number]
