// Training events as curves: what each stage's engine reported, ready to be drawn and summed up.
import type { PreferenceMetrics } from '../base/progress.ts'
import type { ReportTraining } from './report-input.ts'

export interface Point {
  step: number
  value: number
}

export interface Curve {
  /** 'training', or the evaluation set's name. */
  name: string
  points: Point[]
}

/** A value of the preference objective over a stage's steps. */
export type PreferenceMeasure = keyof PreferenceMetrics

export interface TrainingSummary {
  stage: string
  title: string
  objective: ReportTraining['objective']
  round?: number
  variants: string[]
  steps: number
  /** Tokens with a loss, over all steps. */
  tokens: number
  /** Mean loss of the first and of the last tenth of the steps. */
  trainingLoss: BeforeAfter | null
  /** First and last loss on each held-out set. */
  evaluationLoss: Record<string, BeforeAfter>
  /** First and last held-out values; of the training pairs where nothing was held out. */
  preference?: { set: string } & Record<PreferenceMeasure, BeforeAfter>
}

export interface BeforeAfter {
  before: number
  after: number
}

export const PREFERENCE_MEASURES: readonly PreferenceMeasure[] = [
  'chosenLogProbability',
  'rejectedLogProbability',
  'margin',
  'accuracy',
  'chosenTokens',
  'rejectedTokens',
]

/** More points than this cannot be told apart in a chart; neighbours are averaged. */
const MAX_POINTS = 120

/** Loss curves: training first, then each held-out set in order of appearance. */
export function lossCurves(training: ReportTraining): Curve[] {
  return curvesOf(training, (event) => event.loss)
}

/** Curves of one preference measure: training first, then held-out sets; empty for other objectives. */
export function preferenceCurves(training: ReportTraining, measure: PreferenceMeasure): Curve[] {
  return curvesOf(training, (event) => event.preference?.[measure])
}

function curvesOf(
  training: ReportTraining,
  measureOf: (event: { loss: number; preference?: PreferenceMetrics }) => number | undefined,
): Curve[] {
  const curves = new Map<string, Point[]>([['training', []]])
  for (const event of training.events) {
    if (event.type !== 'step-end' && event.type !== 'evaluation-end') continue
    const value = measureOf(event)
    if (value === undefined || !Number.isFinite(value)) continue
    const name = event.type === 'step-end' ? 'training' : event.set
    if (!curves.has(name)) curves.set(name, [])
    curves.get(name)!.push({ step: event.step, value })
  }
  return [...curves].filter(([, points]) => points.length > 0).map(([name, points]) => ({ name, points }))
}

/** At most MAX_POINTS points, each the mean of its neighbours. */
export function thinned(points: readonly Point[]): Point[] {
  const width = Math.ceil(points.length / MAX_POINTS)
  if (width <= 1) return [...points]
  const means: Point[] = []
  for (let start = 0; start < points.length; start += width) {
    const part = points.slice(start, start + width)
    means.push({ step: mean(part.map(({ step }) => step)), value: mean(part.map(({ value }) => value)) })
  }
  return means
}

/** The numbers of a training stage. */
export function summariseTraining(training: ReportTraining): TrainingSummary {
  const steps = training.events.filter((event) => event.type === 'step-end')
  const evaluationLoss: Record<string, BeforeAfter> = {}
  const losses = lossCurves(training)
  for (const { name, points } of losses) if (name !== 'training') evaluationLoss[name] = ends(points)
  const summary: TrainingSummary = {
    stage: training.stage,
    title: training.title,
    objective: training.objective,
    ...(training.round === undefined ? {} : { round: training.round }),
    variants: training.variants,
    steps: steps.length,
    tokens: steps.reduce((total, { tokens }) => total + tokens, 0),
    trainingLoss: tenths(losses.find(({ name }) => name === 'training')?.points ?? []),
    evaluationLoss,
  }
  const preference = summarisePreference(training)
  return preference === undefined ? summary : { ...summary, preference }
}

function summarisePreference(training: ReportTraining): TrainingSummary['preference'] {
  const curves = preferenceCurves(training, 'margin')
  const set = (curves.find(({ name }) => name !== 'training') ?? curves[0])?.name
  if (set === undefined) return undefined
  const values = PREFERENCE_MEASURES.map((measure) => {
    const points = preferenceCurves(training, measure).find(({ name }) => name === set)!.points
    return [measure, set === 'training' ? tenths(points)! : ends(points)]
  })
  return { set, ...(Object.fromEntries(values) as Record<PreferenceMeasure, BeforeAfter>) }
}

function ends(points: readonly Point[]): BeforeAfter {
  return { before: points[0]!.value, after: points.at(-1)!.value }
}

function tenths(points: readonly Point[]): BeforeAfter | null {
  if (points.length === 0) return null
  const count = Math.max(1, Math.round(points.length / 10))
  const values = points.map(({ value }) => value)
  return { before: mean(values.slice(0, count)), after: mean(values.slice(-count)) }
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length
}
