// Options that several commands share: which exam, which of its items, and which endpoint.

export const examOptions = {
  exam: {
    type: 'string',
    valueHint: 'EXAM',
    required: true,
    description: "An exam's name (meikai exam list), or its .yaml file",
  },
  data: { type: 'string', valueHint: 'PATH', description: "The exam's data, where the .yaml file does not say it" },
} as const

export const choiceOptions = {
  years: { type: 'string', valueHint: 'LIST', description: 'Which years, such as 2018,2019' },
  'text-only': { type: 'boolean', description: 'Leave out questions with a figure' },
} as const

export const endpointOptions = {
  endpoint: { type: 'string', valueHint: 'URL', description: 'Where it is served, up to /v1; may stand several times' },
  'key-variable': { type: 'string', valueHint: 'NAME', description: 'The environment variable that holds the key' },
} as const
