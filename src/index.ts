// The public API: a recipe from file to report, and its parts for programs of your own.

/** Errors that a user can mend; anything else that is thrown is a fault of meikai. */
export { UserError } from './base/errors.ts'
export type { RunEvent, ServerEvent, TrainingEvent } from './base/progress.ts'

/** Trains: the embedded engine, and the interface that others can have too. */
export { EmbeddedEngine } from './engine/embedded/embedded-engine.ts'
export type { Engine, ModelReference, TrainingJob } from './engine/engine.ts'

/** Examinations: items, examining any sampler, reading an answer from any output. */
export { loadExam } from './exam/exam.ts'
export { examine } from './exam/examination.ts'
export { readAnswer } from './exam/reader.ts'
export type { ExamItem, GradedAnswer } from './exam/records.ts'

/** Recipes: what one says, what would run, running it, what is wrong with it, tidying up. */
export { diagnose } from './pipeline/doctor/diagnose.ts'
export type { Finding } from './pipeline/doctor/finding.ts'
export { planRecipe, type RunOptions, runRecipe } from './pipeline/run.ts'
export { type LoadedRecipe, loadRecipe, type Recipe } from './recipe/recipe.ts'
export { cleanRun } from './runs/clean.ts'

/** Writes text: the embedded sampler, and the interface that others can have too. */
export { openEmbeddedSampler } from './sampler/embedded/embedded.ts'
export type { Completion, OpenSampler, SampleRequest, Sampler, SamplingSettings } from './sampler/sampler.ts'
