// Progress as a stream of typed events, named noun-verb; the terminal, plain lines and JSON Lines are displays of it.

/** Numbers of one optimizer step. Sums over positions are in nats. */
export interface StepMetrics {
  /** Mean loss of the step, as the objective defines it. */
  loss: number
  learningRate: number
  /** Global norm of the gradient before clipping. */
  gradientNorm: number
  /** Tokens with a loss in this step. */
  tokens: number
  /** Wall seconds of the step. */
  seconds: number
  /** Preference objectives only: means over the step's pairs (summed log-probabilities, nats). */
  preference?: PreferenceMetrics
}

export interface PreferenceMetrics {
  chosenLogProbability: number
  rejectedLogProbability: number
  /** beta x [(policy - reference) of chosen - (policy - reference) of rejected], before the sigmoid. */
  margin: number
  /** Share of pairs whose margin is above 0. */
  accuracy: number
  /** Mean response lengths in tokens. */
  chosenTokens: number
  rejectedTokens: number
}

/** What an engine reports while it trains. Every number that goes into metrics.jsonl comes from here. */
export type TrainingEvent =
  | { type: 'training-start'; steps: number; firstStep: number; trainableParameters: number; threads: number }
  | ({ type: 'step-end'; step: number } & StepMetrics)
  | { type: 'evaluation-end'; step: number; set: string; loss: number; tokens: number; preference?: PreferenceMetrics }
  | { type: 'checkpoint-saved'; step: number; folder: string }
  /** It ended early after `step`, and goes on at `firstStep`: what lies between is done again. */
  | { type: 'training-interrupted'; cause: string; step: number; firstStep: number }
  | { type: 'training-end'; step: number; keptStep: number; folder: string }

/** What a run's own server does until it answers, and where it ends in the middle of the work. */
export type ServerEvent =
  /** `start` counts the run's; `log` is the start's own. */
  | { type: 'server-start'; serves: string; start: number; log: string }
  /** Every look at a server that does not answer yet. waiting: in Slurm's queue; `said`: the last line of its log. */
  | { type: 'server-wait'; serves: string; state: 'waiting' | 'running'; seconds: number; said?: string }
  /** It answers, after so long a wait. */
  | { type: 'server-ready'; serves: string; seconds: number }
  /** It went by itself, and is started again: what it had not answered is asked again. */
  | { type: 'server-lost'; serves: string; cause: string }

/** What the pipeline reports while a run goes on. */
export type RunEvent =
  | {
      type: 'run-start'
      name: string
      folder: string
      /** What each stage's state is, and for changed ones why they run again. */
      stages: { id: string; state: 'done' | 'changed' | 'new' | 'interrupted'; reasons?: string[] }[]
    }
  | { type: 'stage-start'; stage: string; index: number; count: number }
  | { type: 'stage-progress'; stage: string; done: number; total: number; unit: string; note?: string; sample?: string }
  | { type: 'training'; stage: string; event: TrainingEvent }
  | { type: 'server'; stage: string; event: ServerEvent }
  | { type: 'stage-end'; stage: string; seconds: number; kept: boolean; summary: string }
  | { type: 'warning'; stage?: string; message: string }
  | { type: 'run-end'; name: string; seconds: number; report?: string }
