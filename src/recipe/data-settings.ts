// Settings of what goes in: the model, the texts, the examinations, the miniature world.
import { z } from 'zod'
import { hubPrefix, readHubModel } from './paths.ts'
import { count, countOrZero, path, positive, setting, share } from './setting.ts'

const modelMap = z.strictObject({
  folder: path(
    "Folder in Hugging Face form: config.json, tokenizer.json and model.safetensors (whole or sharded); or 'hub:owner/name@revision', a model of the Hugging Face hub. Without weights in the folder, initial ones are drawn from the seed.",
    'models/my-model',
  ).refine(
    (folder) => !folder.startsWith(hubPrefix) || readHubModel(folder) !== undefined,
    'must be hub:owner/name or hub:owner/name@revision (a branch, a tag or a commit).',
  ),
  tokenizer: path('Folder with tokenizer.json and tokenizer_config.json, where it is not the model folder.').optional(),
  licence: setting(z.string().optional(), 'Licence of the model, for the report; a hub states it itself.'),
})

/** In short, `model: owner/name@revision` is a model of the hub, any other text a folder. */
export const modelSettings = z.preprocess((given) => {
  if (typeof given !== 'string') return given
  return { folder: readHubModel(`${hubPrefix}${given}`) === undefined ? given : `${hubPrefix}${given}` }
}, modelMap)

const textSource = z.strictObject({
  path: path(
    'File, folder or glob: txt, md, JSON Lines ({"text"}, or {"prompt", "completion"} whose completion alone is learnt), Parquet; .gz of the first four.',
    'texts/*.jsonl',
  ),
  column: setting(z.string().min(1).default('text'), 'Where the text stands in JSON Lines and Parquet.'),
  role: setting(
    z.enum(['domain', 'general']).default('domain'),
    "domain: the field's own texts; general: texts replayed beside them against forgetting, whose held-out loss shows it.",
  ),
  epochs: setting(
    positive().default(1),
    'How often the source is read in one pass over the mixture; 0.5 takes a seeded half.',
  ),
  weight: setting(
    positive().optional(),
    'Share of the mixture in tokens, relative to the other weights; then epochs is the most that the source is read.',
  ),
  expectedTokens: setting(
    count().optional(),
    'Tokens that it will hold, for a plan made where the files are not (run --dry-run).',
  ),
  licence: setting(z.string().optional(), 'Licence of the texts, for the report and the model card.'),
})

export const corpusSettings = z.strictObject({
  texts: setting(z.array(textSource).default([]), 'Where texts come from.'),
  pastExam: setting(
    z
      .strictObject({
        answered: setting(
          positive().optional(),
          'How often each item of exam.past is printed as a question answered at once.',
        ),
        explained: setting(
          positive().optional(),
          'How often each item of exam.past that has an explanation is printed explained; fractions as in epochs.',
        ),
      })
      .prefault({}),
    "The past exam printed in the examination's own prompt form, so that the form is learnt.",
  ),
  sequenceTokens: setting(
    count().default(2048),
    'Longest training row; longer documents are divided, no token is lost.',
    {
      unit: 'tokens',
    },
  ),
  heldOutShare: setting(
    share().default(0.02),
    'Seeded share of documents that is never trained on, for the held-out loss.',
  ),
  duplicates: setting(
    z.enum(['keep', 'exact', 'near']).default('exact'),
    'keep: documents may come again; exact: the same text once; near: texts that are nearly the same once.',
  ),
  overlapCharacters: setting(
    countOrZero().default(40),
    'A document is left out that shares a run of this many letters and digits with a question of exam.preference or exam.test, what several cases of the exam have in common not counted, or that holds a near copy of one; 0 turns it off.',
    { unit: 'characters' },
  ),
})

const examSource = z.strictObject({
  path: path("The exam's file or folder.", 'exam/test.jsonl'),
  description: setting(
    z.string().min(1).optional(),
    "What the file or folder holds: an exam's name (meikai exam list), or a description of your own (YAML). Left out: one JSON object a line, as in docs/formats.md.",
    { path: 'yaml' },
  ),
  years: setting(z.array(z.int()).optional(), 'Which years; all when left out.'),
  textOnly: setting(z.boolean().default(false), 'Leave out questions with a figure.'),
  items: setting(count().optional(), 'A seeded choice of this many; all when left out.'),
  expectedItems: setting(
    count().optional(),
    'Questions that it will hold, for a plan made where the files are not (run --dry-run).',
  ),
  licence: setting(z.string().optional(), 'Licence of the questions, for the report.'),
})

export const examSettings = z.strictObject({
  past: setting(examSource.optional(), 'Items that may be trained on as text.'),
  preference: setting(
    examSource.optional(),
    'Items that the model explains and preference pairs are made from; never printed in the texts.',
  ),
  test: setting(examSource, 'Items that the variants are examined on; never trained on.'),
  shots: setting(
    examSource.optional(),
    'Worked examples before each question, the same for all; with explanations, where models explain.',
  ),
  answerForm: setting(
    z.enum(['letter', 'option-text']).default('letter'),
    "How an answer is given: the options' letters, or an option's text.",
  ),
  template: path(
    'A prompt template of your own (YAML); the built-in Japanese one of the answer form when left out.',
  ).optional(),
})

export const miniatureSettings = z.strictObject({
  seed: setting(z.int().optional(), "Seed of the world; the recipe's seed when left out."),
  explainedShare: setting(
    share().default(0.015),
    'Share of the past-exam entries in the texts that are printed with an explanation. The lower, the more explaining costs the CPT model.',
  ),
  baseDocuments: setting(
    count().default(42_000),
    'Documents that the base reads; by default no one comes twice in the quickstart.',
  ),
  pretrainDocuments: setting(count().default(42_000), 'Documents that continued pretraining reads.'),
})
