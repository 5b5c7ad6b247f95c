// What a server says: the last line of its log while it starts; in one line, why it did not start, or ended.
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { UserError } from '../../base/errors.ts'
import { explainFailure, type Failure, type Known } from '../../engine/cluster/failure.ts'
import { readNote } from './server-record.ts'
import { serverFiles } from './server-script.ts'

/** Why a server went, with its log's place. */
export class ServerFailure extends UserError {
  /** Whether another start may come through. */
  readonly retry: boolean

  constructor(message: string, retry: boolean) {
    super(message)
    this.retry = retry
  }
}

/** In the order in which they are looked for. Words of vLLM 0.32, PyTorch and transformers. */
const known: readonly Known[] = [
  {
    pattern: /^meikai: (?<detail>ports? .* in use on .*)$/m,
    cause: 'DETAIL. Set another sampler.start.port, or leave it out: a free one is taken.',
    retry: false,
  },
  {
    pattern: /address already in use|EADDRINUSE/i,
    cause: 'its port was taken by another program. Set another sampler.start.port.',
    retry: true,
  },
  {
    pattern: /Free memory on device .* is less than desired/,
    cause:
      "something else holds the GPU's memory (nvidia-smi shows what). End it, or lower --gpu-memory-utilization in sampler.start.arguments.",
    retry: false,
  },
  {
    pattern:
      /CUDA out of memory|OutOfMemoryError|No available memory for the cache blocks|larger than the available KV cache|hipErrorOutOfMemory/i,
    cause:
      'the GPUs have too little memory for the model and its texts. Raise sampler.start.gpus, or set --max-model-len lower in sampler.start.arguments.',
    retry: false,
  },
  {
    pattern: /LoRA rank (?<detail>\d+) is greater than max_lora_rank/,
    cause: 'an adapter of rank DETAIL is larger than the server takes. Set --max-lora-rank in sampler.start.arguments.',
    retry: false,
  },
  {
    pattern: /Failed to infer device type|No CUDA GPUs are available|no NVIDIA GPU detected|Found no NVIDIA driver/i,
    cause:
      'it finds no GPU there. See nvidia-smi; through Slurm, sampler.start.gpus asks for some; without GPUs, name another server in sampler.start.command.',
    retry: false,
  },
  {
    pattern: /CUDA (driver version is insufficient|error: no kernel image)|driver.* too old/i,
    cause: "the GPU's driver does not fit the serving environment. See: meikai doctor.",
    retry: false,
  },
  {
    pattern: /unrecognized arguments: (?<detail>.+)$/m,
    cause: 'it does not know the arguments DETAIL. Correct sampler.start.arguments.',
    retry: false,
  },
  {
    pattern:
      /is not a local folder and is not a valid model identifier|Repo id must be|does not appear to have (a|any) file/,
    cause: "the model is not found there. Through Slurm the nodes must see the run's folder.",
    retry: false,
  },
  {
    pattern: /Model architectures? (?<detail>\[.*?\]).* (?:not supported|failed)/,
    cause: 'it does not know models of the kind DETAIL. Name another server in sampler.start.command.',
    retry: false,
  },
  {
    pattern: /ModuleNotFoundError: No module named '(?<detail>[^']+)'/,
    cause: 'the serving environment lacks a package (DETAIL). Install it again: meikai cluster install serving.',
    retry: false,
  },
  {
    pattern: /^.*?: line \d+: (?<detail>.+: (?:No such file or directory|command not found|Permission denied))$/m,
    cause:
      'it cannot be started (DETAIL). Make the environment (meikai cluster install serving), or correct sampler.start.',
    retry: false,
  },
  {
    pattern: /no space left on device|disk quota exceeded/i,
    cause: 'the disk is full. Free some space.',
    retry: false,
  },
  { pattern: /CANCELLED .* DUE TO TIME LIMIT|TIMEOUT/, cause: 'the time limit came.', retry: true },
  { pattern: /meikai: nobody has needed/, cause: 'it ended by itself, as nobody needed it for a while.', retry: true },
  {
    pattern: /^(?:\([^)]*\) )*(?:[A-Z]+ [\d:. -]+ \[[^\]]*\] )?(?<detail>(?:\w+\.)*\w*(?:Error|Exception): .+)$/m,
    cause: 'DETAIL',
    retry: false,
  },
]

/** @param folder of the start. */
export async function explainServer(folder: string): Promise<Failure> {
  const log = await readFile(join(folder, serverFiles.log), 'utf8').catch(() => '')
  const exit = await readNote<{ status: number }>(join(folder, serverFiles.exit))
  return explainFailure(log.split('\n').slice(-lastLines), exit?.status, known)
}

/** The last line with words in it, as a terminal shows it; undefined where there is none yet. */
export async function lastLine(log: string): Promise<string | undefined> {
  const file = await open(log).catch(() => undefined)
  if (file === undefined) return undefined
  try {
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read(Buffer.alloc(tailBytes), 0, tailBytes, Math.max(0, size - tailBytes))
    const text = stripVTControlCharacters(buffer.toString('utf8', 0, bytesRead))
    // A carriage return begins a line anew: bars of progress are drawn so.
    const line = text.split(/[\r\n]+/).findLast((one) => one.trim() !== '')
    return line?.trim().slice(-shownCharacters)
  } finally {
    await file.close()
  }
}

/** What is read of a log's end, and what is shown of its last line. */
const tailBytes = 4096
const shownCharacters = 200

/** The cause stands near the end: what follows is the traceback of whoever waited for it. */
const lastLines = 400
