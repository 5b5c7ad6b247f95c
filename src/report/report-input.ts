// What a report is made of: everything that the pipeline's report stage hands over, and nothing that it has to compute.
import type { TrainingEvent } from '../base/progress.ts'
import type { LocatedOverlap } from '../data/exam-overlap.ts'
import type { ExamItem, GradedAnswer, Way } from '../exam/records.ts'
import type { PreferencePair, Verdict } from '../preference/records.ts'
import type { VerdictAgreement } from '../preference/verdict-agreement.ts'

/** One run, ready to be reported. Order is kept everywhere: variants, stages and items appear as they stand here. */
export interface ReportInput {
  run: ReportRun
  /** The recipe as resolved: every setting with its value, as plain JSON. */
  recipe: Record<string, unknown>
  stages: ReportStage[]
  items: ReportItem[]
  /** What an answer follows in a prompt; absent in runs of earlier versions. */
  answerCue?: string
  variants: ReportVariant[]
  trainings: ReportTraining[]
  /** One entry a pair stage (each round of each sampling model). */
  pairs: ReportPairs[]
  probes: ReportProbe[]
  /** One entry a corpus whose texts were searched for the exam's questions. */
  overlaps?: ReportOverlap[]
  /** What the result does not show, a sentence each; the report adds what it can see for itself. */
  notes: string[]
}

export interface ReportRun {
  name: string
  seed: number
  threads: number
  /** Name and version of meikai, Node, ONNX Runtime and whatever else made the numbers. */
  versions: Record<string, string>
  /** Every host that the run contacted; empty when nothing left the machine. */
  hosts: string[]
  sources: ReportSource[]
}

/** Texts, questions or weights that the run read. */
export interface ReportSource {
  name: string
  /** What it is in the recipe, e.g. 'domain text', 'general text', 'exam', 'base model'. */
  role: string
  /** As the recipe states it; missing when it states none. */
  licence?: string
  documents?: number
  tokens?: number
}

export interface ReportStage {
  id: string
  /** What the stage does, in a few words. */
  title: string
  /** Wall seconds of the work itself, whichever run did it. */
  seconds: number
  /** Names of the variants that stand on it. */
  variants: string[]
}

/** An exam item with the prompts that every variant was given. */
export interface ReportItem extends ExamItem {
  /** The prompt as the models read it, template included. */
  prompts?: Partial<Record<Way, string>>
}

/** Where a variant stands in the paper's comparison. */
export type VariantRole = 'base' | 'pretrained' | 'rpo' | 'dpo' | 'winners' | 'rpo-without-pretraining' | 'other'

export interface ReportVariant {
  /** As the recipe names it, unique. */
  name: string
  role: VariantRole
  /** Graded answers of the ways that were examined, one an item. */
  answers: Partial<Record<Way, GradedAnswer[]>>
}

/** One training stage and what its engine reported. */
export interface ReportTraining {
  stage: string
  /** With the round, where stages repeat. */
  title: string
  objective: 'next-token' | 'rpo' | 'dpo' | 'winners'
  round?: number
  /** Names of the variants that stand on it. */
  variants: string[]
  /**
   * step-end and evaluation-end events, others are ignored. The evaluation set 'general' is general text,
   * whose loss before the first and after the last step shows what was forgotten.
   */
  events: TrainingEvent[]
  /** What 16 and fewer bits changed of its start and its result, a sentence each; absent where nothing was rounded. */
  changes?: string[]
}

export type ReportPair = Omit<PreferencePair, 'promptTokens' | 'chosenTokens' | 'rejectedTokens'> & {
  verdict?: Verdict['verdict']
}

export interface ReportPairs {
  stage: string
  title: string
  round: number
  /** Names of the variants that stand on it. */
  variants: string[]
  questions: number
  samples: number
  /** Pairs that went into training. */
  used: number
  /** What became of questions, samples and pairs, by reason; names in camel case are printed as words. */
  counts: Record<string, number>
  /** Verdicts of reviewers by kind; empty when nobody reviewed. */
  verdicts: Partial<Record<Verdict['verdict'], number>>
  /** The rule on explanations against the experts, on the responses chosen for them; missing without verdicts. */
  agreement?: VerdictAgreement
  /** The first pairs that are trained on. */
  pairs: ReportPair[]
}

/** What a corpus holds of the examined questions; the documents were left out of it. */
export interface ReportOverlap {
  stage: string
  title: string
  /** Questions that say too little of their own to be looked for. */
  tooGeneral: string[]
  found: LocatedOverlap[]
}

/** What a model wrote to a fixed question at one point of its training. */
export interface ReportProbe {
  /** Same for all texts of one question. */
  question: string
  prompt: string
  stage: string
  step: number
  text: string
}
